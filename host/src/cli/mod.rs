//! The command line: `pontoon serve` is the daemon, everything else asks a running one over its admin API.
//!
//! - [`main`]: from the process's arguments to its exit code
//! - `driver`, `upgrade`, `moving`, `grant`, `network`, `endpoint`, `table`, `node`, `system`, `doctor`: the commands, one file per object: arguments, request, what is printed
//! - `new`, `build`, `pack`, `driver_test`, `bench`, `explain`, `replay`: what a driver's author needs, without a daemon
//! - `dev`, `trial`, `driver_trace`: the same, with one; `recording`: recorded calls, as text and as files
//! - `plan`: what `driver_test`, `bench` and `grant` tell the suite of a component
//! - `remote`, `outdated`: a component from a registry, or to one; and whether there is a newer one
//! - `pools`, `publish`, `values`: the syntax of what is more than a word
//! - `client`: HTTP over the unix socket
//! - `output`, `trace`: tables for people, JSON for programs
//! - [`exit`]: exit codes

mod bench;
mod build;
mod client;
mod dev;
mod doctor;
mod driver;
mod driver_test;
mod driver_trace;
mod endpoint;
pub mod exit;
mod explain;
mod grant;
mod moving;
mod network;
mod new;
mod node;
mod outdated;
mod output;
mod pack;
mod plan;
mod pools;
mod publish;
mod recording;
mod remote;
mod replay;
mod system;
mod table;
#[cfg(test)]
mod tests;
mod trace;
mod trial;
mod upgrade;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use self::client::{Client, DEFAULT_SOCKET};
use self::exit::Failure;
use self::output::{Format, Session, complaint};
use crate::config::Written;
use crate::{confine, launcher, serve};
use engine::Engine;
use words::{Error, Result};

/// Container network drivers as sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "pontoon", version, after_help = exit::HELP)]
struct Arguments {
    /// The daemon's admin socket [default: /run/pontoon/pontoon.sock]
    #[arg(long, global = true, env = "PONTOON_SOCKET", value_name = "PATH", help_heading = "Global options")]
    socket: Option<OsString>,
    /// For whom to print
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Global options")]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the daemon in the foreground
    Serve {
        #[command(flatten)]
        written: Box<Written>,
        /// Take the place of the daemon that runs, with its sockets and ports: no request fails, and no connection is refused
        #[arg(long)]
        replace: bool,
    },
    /// Compile the component on standard input; what runs without a daemon starts this in a process of its own
    #[command(hide = true)]
    Compile,
    /// Open and bind network namespaces for the daemon, which starts this before it confines itself
    #[command(hide = true)]
    Keyholder {
        /// Where they are bound
        folder: PathBuf,
    },
    /// Start engine processes for the daemon, which starts this before it confines itself
    #[command(hide = true)]
    Launcher {
        /// Any folder
        folder: PathBuf,
    },
    #[command(flatten)]
    Ask(Ask),
}

/// What a running daemon is asked.
#[derive(Debug, clap::Subcommand)]
enum Ask {
    /// Drivers: load, upgrade, rollback, history, export, import, gc, ls, inspect, grant, explain, audit, rm; push, pull, outdated; new, build, pack, test, bench
    #[command(subcommand)]
    Driver(driver::Command),
    /// Networks: create, ls, inspect, rm
    #[command(subcommand)]
    Network(network::Command),
    /// Endpoints: attach, detach, ls
    #[command(subcommand)]
    Endpoint(endpoint::Command),
    /// Tables of networks: ls, put, rm
    #[command(subcommand)]
    Table(table::Command),
    /// Nodes of a cluster: ls, rm
    #[command(subcommand)]
    Node(node::Command),
    /// Remove what nothing owns any more: endpoints whose namespace is gone, what dockerd has forgotten, kernel objects without a record
    Gc {
        /// Also what a store does not know that is an older copy than the one that this machine's networks were made with
        #[arg(long)]
        orphans: bool,
    },
    /// Look for what stands between this machine and a working driver
    #[command(long_about = doctor::HELP)]
    Doctor(Box<Written>),
    /// Show how much there is, and how it stands with the cluster, in numbers: OpenMetrics text, which Prometheus reads
    Metrics,
    /// Show the versions of the command line and of the daemon
    Version,
}

/// Runs the program: arguments, standard output and the exit code are the process's.
pub fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(code) => return code.into(),
    };
    let format = arguments.output;
    // An empty variable of the environment says nothing.
    let socket = arguments.socket.filter(|path| !path.is_empty()).map(PathBuf::from);
    let ended = match arguments.command {
        // Before any thread is started: the child lowers its own limits.
        Command::Compile => return compile().into(),
        Command::Keyholder { folder } => {
            let closed = kernel::close_inherited();
            confine::keyholder();
            closed.and_then(|()| kernel::hold_keys(&folder)).map_err(Error::from)
        }
        Command::Launcher { folder } => launch(&folder),
        Command::Serve { written, replace } => serve::main(Written { socket, ..*written }, replace),
        Command::Ask(ask) => return block(ask, socket, format),
    };
    match ended {
        Ok(()) => exit::OK.into(),
        Err(error) => fail(error.into(), format).into(),
    }
}

/// Reads the arguments. Help goes to standard output; a mistake is one line on standard error.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> std::result::Result<Arguments, u8> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let json = arguments.windows(2).any(|w| w[0] == "--output" && w[1] == "json");
    let format = if json || arguments.iter().any(|a| a == "--output=json") { Format::Json } else { Format::Table };
    let matches = Arguments::command().try_get_matches_from(arguments);
    matches.and_then(|mut matches| Arguments::from_arg_matches_mut(&mut matches)).map_err(|error| {
        if !error.use_stderr() {
            // `pontoon --help | head -1` is no failure.
            let _ = write!(io::stdout(), "{}", error.render());
            return exit::OK;
        }
        fail(Failure::usage(mistake(&error)), format)
    })
}

/// What clap says in several paragraphs, as one line.
fn mistake(error: &clap::Error) -> String {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
        return "a subcommand is missing; `--help` lists them".to_owned();
    }
    let text = error.render().to_string();
    let paragraphs = text.trim_start_matches("error: ").split("\n\n").take_while(|p| !p.starts_with("Usage:"));
    let words: Vec<_> =
        paragraphs.filter(|p| !p.starts_with("For more information")).flat_map(str::split_whitespace).collect();
    format!("{}; see `--help`", words.join(" "))
}

fn fail(failure: Failure, format: Format) -> u8 {
    let _ = writeln!(io::stderr(), "{}", complaint(&failure.error, format));
    failure.code
}

/// Asks the daemon, on a runtime of one thread.
fn block(ask: Ask, socket: Option<PathBuf>, format: Format) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(run(ask, socket, format, &mut io::stdout(), &mut io::stderr())),
        Err(e) => fail(Error::internal(format!("can't start: {e}")).into(), format),
    };
    code.into()
}

/// Asks the daemon and prints its answer; answers the exit code.
async fn run(ask: Ask, socket: Option<PathBuf>, format: Format, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let client = Client::new(socket.clone().unwrap_or_else(|| DEFAULT_SOCKET.into()));
    let mut session = Session::new(client, format, out, err);
    let ended = match ask {
        Ask::Driver(command) => command.run(&mut session).await,
        Ask::Network(command) => command.run(&mut session).await,
        Ask::Endpoint(command) => command.run(&mut session).await,
        Ask::Table(command) => command.run(&mut session).await,
        Ask::Node(command) => command.run(&mut session).await,
        Ask::Gc { orphans } => system::gc(orphans, &mut session).await,
        Ask::Doctor(written) => doctor::run(Written { socket, ..*written }, &mut session).await,
        Ask::Metrics => system::metrics(&mut session).await,
        Ask::Version => system::version(&mut session).await,
    };
    if let Err(failure) = ended {
        session.fail(&failure);
    }
    session.code()
}

/// Starts engine processes, each from this one as it is now: wasmtime is ready, and has nothing loaded.
fn launch(folder: &Path) -> Result<()> {
    kernel::close_inherited()?;
    let engine = Engine::for_one_driver()?;
    launcher::work(folder, |inside| engine::serve(&engine, inside.lines, inside.code, confine::engine_at))
}

/// Compiles the component on standard input to standard output. What it says is for whoever started it.
fn compile() -> u8 {
    match crate::driver::compile::child() {
        Ok(()) => exit::OK,
        Err(e) => {
            let _ = writeln!(io::stderr(), "{e:#}");
            exit::INTERNAL
        }
    }
}
