//! The names of countries as people write them.

use schema::reference;

/// The name of a country, or its code where it has none.
pub(crate) fn country_name(code: &str) -> String {
    let listed = if code == "GB" { "UK" } else { code };
    let name = reference::countries().find(|country| country.code == listed).map(|country| country.name);
    name.map_or_else(|| code.to_owned(), in_words)
}

/// `KOREA, REPUBLIC OF` as `Korea, Republic of`.
pub(crate) fn in_words(capitals: &str) -> String {
    let small = ["OF", "AND", "THE", "DA", "ISLAMIC", "PEOPLES"];
    let word = |(i, word): (usize, &str)| {
        let keep = if i > 0 && small.get(..4).is_some_and(|small| small.contains(&word)) { 0 } else { 1 };
        let mut after_letter = false;
        word.chars()
            .enumerate()
            .map(|(at, c)| {
                let is_first = !after_letter && (at > 0 || keep == 1);
                after_letter = c.is_alphabetic() || c == '\'';
                if is_first { c } else { c.to_ascii_lowercase() }
            })
            .collect::<String>()
    };
    capitals.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_names_in_words() {
        for (code, name) in
            [("US", "United States"), ("GB", "United Kingdom"), ("KR", "Korea, Republic of"), ("SX", "SX")]
        {
            assert_eq!(country_name(code), name);
        }
    }
}
