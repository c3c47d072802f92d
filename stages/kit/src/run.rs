//! From parsed arguments to the exit code: does the work and reports errors.

use std::io::Write as _;

use anyhow::Result;
use schema::Exit;

use crate::{Io, Messages, Outcome, StageArgs, exit_of};

/// Prints the output of the option parser: the requested help, or what is wrong with the command
/// line, with the program's name in front as in every other message.
pub fn not_parsed(name: &'static str, error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        return printed(name, error.render().to_string().as_bytes());
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
    Messages::new(name, false).error(lines.join("\n"));
    Exit::Usage
}

/// Prints a requested text for the program `name`, or says why it cannot.
pub(crate) fn printed(name: &str, text: &[u8]) -> Exit {
    let Err(error) = crate::print(text) else { return Exit::Done };
    let exit = exit_of(&error);
    if exit != Exit::ReaderLeft {
        // like a message, but the program's name is not known before the page is generated
        let _ = writeln!(std::io::stderr(), "{name}: {error:#}");
    }
    exit
}

/// Does the work of a stage with parsed arguments, and converts the result into an exit code.
pub fn run_with<A: StageArgs>(args: &A, stage: impl FnOnce(&mut Io) -> Result<Outcome>) -> Exit {
    let common = args.common();
    let messages = Messages::new(A::DESCRIBE.name, common.quiet);
    if common.describe {
        return printed(A::DESCRIBE.name, format!("{}\n", A::DESCRIBE.to_json()).as_bytes());
    }
    if !common.quiet {
        crate::progress::enable(A::DESCRIBE.name);
    }
    let mut io = Io::new(&A::DESCRIBE, common.clone(), messages);
    let result = stage(&mut io).and_then(|outcome| io.finish().map(|rejected| (outcome, rejected)));
    match result {
        Ok((outcome, rejected)) => {
            if common.strict && outcome.rejected + rejected > 0 {
                Exit::Rejects
            } else {
                Exit::Done
            }
        }
        Err(error) => {
            let exit = exit_of(&error);
            if exit != Exit::ReaderLeft {
                messages.error(format_args!("{error:#}"));
            }
            exit
        }
    }
}
