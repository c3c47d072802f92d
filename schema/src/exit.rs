//! Exit codes of every executable: one list, used by the stages and read by the orchestrator.

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything requested was done.
    Done = 0,
    /// It could not be done; the message on standard error names the cause.
    Failed = 1,
    /// The command line or the configuration is unusable.
    Usage = 2,
    /// Done, but records were rejected; only with `--strict`.
    Rejects = 3,
    /// Another run holds the lock; try again later.
    Busy = 75,
    /// The reader of standard output left before the end.
    ReaderLeft = 141,
}

impl Exit {
    /// All codes, in numeric order.
    pub const ALL: [Self; 6] = [Self::Done, Self::Failed, Self::Usage, Self::Rejects, Self::Busy, Self::ReaderLeft];

    /// The meaning of the code, for help texts and manuals.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed; the message on standard error names the cause",
            Self::Usage => "the command line or the configuration is unusable",
            Self::Rejects => "done, but records were rejected (with --strict)",
            Self::Busy => "another run is writing to the databases; try again later",
            Self::ReaderLeft => "the reader of standard output went away",
        }
    }

    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_are_a_public_interface() {
        let codes =
            [Exit::Done, Exit::Failed, Exit::Usage, Exit::Rejects, Exit::Busy, Exit::ReaderLeft].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 75, 141]);
    }
}
