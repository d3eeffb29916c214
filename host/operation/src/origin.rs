//! Origins: for which engine an object was made.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For which engine a network, an endpoint or an address pool was made. Only what that engine knows judges it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "engine", rename_all = "kebab-case")]
pub enum Origin {
    /// Pontoon's own: an operator made it, by the command line or the admin API.
    Native,
    /// A dockerd made it, by its plugin protocol: it chooses ids and addresses, keeps the sandboxes and moves the links into them.
    Docker {
        /// The socket of that dockerd's API; none: a Pontoon made it that did not note it, before version 4 of the store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        api: Option<PathBuf>,
    },
}

impl Origin {
    /// The kind of engine, in a word.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker { .. } => "docker",
        }
    }

    /// Whether this engine knows of objects of that origin: it is the one that made them.
    pub fn knows_of(&self, origin: &Self) -> bool {
        match (self, origin) {
            (Self::Docker { .. }, Self::Docker { api: None }) => true,
            _ => self == origin,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker { api: Some(api) } => write!(f, "{} ({})", self.engine(), api.display()),
            _ => f.write_str(self.engine()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_knows_of_its_own() {
        let docker = |api: &str| Origin::Docker { api: Some(api.into()) };
        let unnoted = Origin::Docker { api: None };
        assert!(docker("/a").knows_of(&docker("/a")) && docker("/a").knows_of(&unnoted));
        assert!(!docker("/a").knows_of(&docker("/b")) && !docker("/a").knows_of(&Origin::Native));
        assert!(!unnoted.knows_of(&docker("/a")) && !Origin::Native.knows_of(&unnoted));
    }

    #[test]
    fn it_reads_as_it_was_written() {
        let docker = Origin::Docker { api: Some("/run/docker.sock".into()) };
        for (origin, text) in [
            (Origin::Native, r#"{"engine":"native"}"#),
            (Origin::Docker { api: None }, r#"{"engine":"docker"}"#),
            (docker, r#"{"engine":"docker","api":"/run/docker.sock"}"#),
        ] {
            assert_eq!(serde_json::to_string(&origin).unwrap(), text);
            assert_eq!(serde_json::from_str::<Origin>(text).unwrap(), origin);
        }
    }
}
