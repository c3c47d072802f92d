//! The streams of one run, passed to the stage.

use anyhow::Result;
use schema::Kind;

use crate::{Common, Describe, Endpoint, Input, Messages, Output, Rejects, Usage};

/// The result that a stage reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// Records that the stage itself counted as rejected, in addition to those in [`Io::rejects`].
    pub rejected: u64,
}

/// The streams, the messages and the common options of one run.
pub struct Io {
    describe: &'static Describe,
    common: Common,
    /// Messages for people.
    pub messages: Messages,
    /// Lines that cannot be used.
    pub rejects: Rejects,
}

impl Io {
    pub(crate) fn new(describe: &'static Describe, common: Common, messages: Messages) -> Self {
        let rejects = Rejects::new(common.rejects.clone(), messages);
        Self { describe, common, messages, rejects }
    }

    /// The common options.
    #[must_use]
    pub const fn common(&self) -> &Common {
        &self.common
    }

    /// The record stream that the stage reads.
    ///
    /// # Errors
    /// `--from db`: the stage reads tables in another way.
    pub fn input(&self) -> Result<Input> {
        let sources = self.common.sources();
        if sources.contains(&Endpoint::Database) {
            return Err(
                Usage(format!("`--from db` of {} cannot be mixed with a record stream", self.describe.name)).into()
            );
        }
        Ok(Input::new(sources))
    }

    /// The record stream that the stage writes.
    ///
    /// # Errors
    /// The file cannot be created, or the stage does not write the kind given by `--kind`.
    pub fn output(&self) -> Result<Output> {
        let kind = match &self.common.kind {
            None => self.describe.main_kind.name().to_owned(),
            Some(name) => {
                let ours = |kinds: &[Kind]| kinds.iter().any(|k| k.name() == name);
                if Kind::from_name(name).is_some() && !ours(self.describe.writes) && !ours(self.describe.reads) {
                    self.messages.note(format_args!("records of kind `{name}` only pass through this stage"));
                }
                name.clone()
            }
        };
        Output::new(&Endpoint::from_arg(&self.common.to), self.common.format, &kind, self.messages)
    }

    pub(crate) fn finish(&mut self) -> Result<u64> {
        self.rejects.finish()
    }
}
