//! Characters that a reader does not see, and what is written in their place.

/// Whether a character controls the display instead of being visible: control characters, marks for
/// text direction, characters without width, other line ends.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Appends text that may come from a log, a table or a file name, so that it can neither control
/// the terminal nor rearrange the words around it.
pub fn push_seen(out: &mut String, line: &str) {
    out.extend(line.chars().map(|c| if is_unseen(c) && c != '\t' { '\u{FFFD}' } else { c }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        let seen = |text: &str| {
            let mut out = String::new();
            push_seen(&mut out, text);
            out
        };
        for c in
            "\u{0}\u{7}\u{1b}\u{7f}\u{85}\u{9b}\u{200b}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{61c}\u{2028}"
                .chars()
        {
            assert_eq!(seen(&format!("a{c}b")), "a\u{FFFD}b", "{c:?}");
        }
        assert_eq!(seen("Größe\t✓ 漢字"), "Größe\t✓ 漢字");
    }
}
