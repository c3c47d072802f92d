//! Errors that end a program with an exit code of their own, and the one rule from an error to its
//! code.

use std::fmt;

use schema::Exit;

/// The reader of standard output left. Only our own writer raises this, so a lost database
/// connection (also a broken pipe) is never mistaken for it.
#[derive(Debug)]
pub struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of standard output went away")
    }
}

impl std::error::Error for ReaderLeft {}

/// The command line or the configuration is unusable, beyond what the option parser detects.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Another process does the work, or holds a lock that it needs; in words.
#[derive(Debug)]
pub struct Busy(pub String);

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Busy {}

/// A stream had this many lines, and each of them was rejected.
#[derive(Debug)]
pub struct NoRecord(pub u64);

impl fmt::Display for NoRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("the only line of the input was rejected"),
            n => write!(f, "all {n} lines of the input were rejected"),
        }
    }
}

impl std::error::Error for NoRecord {}

/// The exit code for this error, whatever context was added to it.
#[must_use]
pub fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(|e| e.get_ref());
        if cause.is::<ReaderLeft>() || inner.is_some_and(|e| e.is::<ReaderLeft>()) {
            return Exit::ReaderLeft;
        }
        if cause.is::<Usage>() {
            return Exit::Usage;
        }
        if cause.is::<Busy>() {
            return Exit::Busy;
        }
    }
    Exit::Failed
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn an_error_keeps_its_code_with_any_context() {
        for (error, exit) in [
            (anyhow!("x"), Exit::Failed),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), Exit::Failed),
            (io::Error::other(ReaderLeft).into(), Exit::ReaderLeft),
            (ReaderLeft.into(), Exit::ReaderLeft),
            (Usage("x".to_owned()).into(), Exit::Usage),
            (Busy("x".to_owned()).into(), Exit::Busy),
        ] {
            assert_eq!(exit_of(&error), exit, "{error:?}");
            assert_eq!(exit_of(&Err::<(), _>(error).context("y").unwrap_err()), exit);
        }
    }
}
