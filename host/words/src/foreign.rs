//! Text that came from a driver or a socket, before anyone sees it.

/// Bytes of a driver's text that are kept of an error or a log line: room for a sentence, none for a flood.
pub const MESSAGE_BYTES: usize = 1024;

/// Foreign text for people: at most `bytes` of it, with `�` for what can't be printed.
pub fn printable(text: &str, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    let safe = |c: char| if c.is_control() || is_format(c) { char::REPLACEMENT_CHARACTER } else { c };
    text[..end].chars().map(safe).collect()
}

/// Characters that reorder or hide other text on a terminal (Unicode's Cf and its line separators).
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_clipped_and_printable() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{202e}c", 100), "a\u{fffd}[31m\u{fffd}b\u{fffd}c");
        assert_eq!(printable("ääää", 5), "ää");
    }
}
