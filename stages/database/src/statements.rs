//! What a statement does, as far as its first word tells: whether it may be repeated after a lost server.

/// Whether a statement begins with one of these words.
pub(crate) fn begins_with(sql: &str, words: &[&str]) -> bool {
    words.iter().any(|word| sql.trim_start().starts_with(word))
}

/// Whether a statement defines tables. Temporary ones would be lost with the session.
pub(crate) fn is_definition(sql: &str) -> bool {
    begins_with(sql, &["ALTER", "CREATE", "DROP", "RENAME"])
}

/// Whether a statement only reads, and nothing that the session keeps.
pub(crate) fn is_read(sql: &str) -> bool {
    begins_with(sql, &["SELECT", "SHOW"]) && !sql.contains('@')
}

/// Whether a statement begins (`true`) or ends (`false`) what would be lost with the session: a transaction, locks.
pub(crate) fn holds(sql: &str) -> Option<bool> {
    match () {
        () if begins_with(sql, &["START TRANSACTION", "LOCK TABLES"]) => Some(true),
        () if begins_with(sql, &["COMMIT", "ROLLBACK", "UNLOCK TABLES"]) => Some(false),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_repeated_is() {
        assert!(is_read("SELECT 1") && is_read("\n  SHOW STATUS"));
        assert!(!is_read("SELECT @hz_first") && !is_read("UPDATE a SET b = 1") && !is_read("(SELECT 1)"));
        assert!(is_definition("ALTER TABLE a ENGINE=InnoDB") && !is_definition("INSERT INTO a VALUES (1)"));
        assert_eq!(holds("START TRANSACTION READ ONLY"), Some(true));
        assert_eq!(holds("BEGIN NOT ATOMIC SELECT 1; END"), None);
        assert_eq!((holds("COMMIT"), holds("UNLOCK TABLES"), holds("SELECT 1")), (Some(false), Some(false), None));
    }
}
