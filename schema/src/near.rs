//! Suggests the known word that a mistyped one was probably meant to be.

/// The word of `known` that differs in the fewest letters, unless it is an altogether different
/// word.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (word.chars().count() / 3).max(1);
    let distance = |known: &&'k str| strsim::damerau_levenshtein(word, known);
    let best = known.into_iter().map(|known| (distance(&known), known)).min()?;
    (best.0 <= limit).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near_and_other_words_are_not() {
        let known = ["nameserver", "concurrency", "timeout"];
        for (word, expected) in [
            ("namesever", Some("nameserver")),
            ("timeuot", Some("timeout")),
            ("concurency", Some("concurrency")),
            ("geoip", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
