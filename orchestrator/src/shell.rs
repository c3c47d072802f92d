//! The shell that runs chains: it starts the programs in a text, waits for all of them, and reports which
//! one failed.
//!
//! Used by `hzmetrics sh`, the named chains and the commands that start stages. It starts programs
//! itself and never uses `/bin/sh`.

mod expand;
mod glob;
pub(crate) mod parse;
mod program;
mod signals;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use hub::config::{Config, Handed};
use kit::door::named;
use kit::{Messages, Usage};
use schema::Exit;

pub(crate) use expand::Variables;
use parse::{AndList, Command, Pipeline, Redirect, Script, Stream, Target};
pub(crate) use program::Programs;
use signals::Running;
pub(crate) use signals::{Interrupted, code_of};

/// Exit code if a program is not found, as in `sh`.
const NOT_FOUND: u8 = 127;
/// Exit code if a program is found but cannot be started, as in `sh`.
const NOT_STARTED: u8 = 126;

/// Runs texts.
pub(crate) struct Shell {
    pub(crate) variables: Variables,
    programs: Programs,
    messages: Messages,
    /// Whether the first process of a pipe gets empty input, because the text itself came from
    /// standard input.
    stdin_is_used: bool,
    /// The name of the text in messages.
    name: String,
    running: Running,
    /// The configuration that programs inherit, if there is one.
    handed: Option<Handed>,
}

/// A command that is ready to be started.
struct Prepared {
    program: PathBuf,
    argv: Vec<OsString>,
    env: Vec<(String, OsString)>,
    redirects: Vec<(Stream, StreamEnd)>,
}

/// What a stream is connected to.
enum StreamEnd {
    /// This process's own stream.
    Own(Stream),
    Nothing,
    File(File),
    Reader(std::io::PipeReader),
    Writer(std::io::PipeWriter),
}

impl StreamEnd {
    fn same(&self) -> std::io::Result<Self> {
        Ok(match self {
            Self::Own(stream) => Self::Own(*stream),
            Self::Nothing => Self::Nothing,
            Self::File(file) => Self::File(file.try_clone()?),
            Self::Reader(reader) => Self::Reader(reader.try_clone()?),
            Self::Writer(writer) => Self::Writer(writer.try_clone()?),
        })
    }

    fn into_stdio(self) -> Stdio {
        match self {
            Self::Own(Stream::In) => Stdio::inherit(),
            // the program's output must not be lost silently
            Self::Own(Stream::Out) if kit::is_output_closed() => {
                named::append(Path::new("/dev/full")).map_or_else(|_| Stdio::null(), Stdio::from)
            }
            Self::Own(Stream::Out) => std::io::stdout().into(),
            Self::Own(Stream::Err) => std::io::stderr().into(),
            Self::Nothing => Stdio::null(),
            Self::File(file) => file.into(),
            Self::Reader(reader) => reader.into(),
            Self::Writer(writer) => writer.into(),
        }
    }
}

impl Shell {
    /// A shell for the text `name`.
    pub(crate) fn new(name: &str, variables: Variables, messages: Messages) -> Result<Self> {
        Ok(Self {
            variables,
            programs: Programs::new(),
            messages,
            stdin_is_used: false,
            name: name.to_owned(),
            running: Running::watch()?,
            handed: None,
        })
    }

    /// Passes the configuration to the programs.
    pub(crate) fn hand_on(&mut self, config: &Config) -> Result<()> {
        let handed = config.hand_on()?;
        let (name, value) = handed.variable();
        self.variables.export(name, value);
        self.handed = Some(handed);
        Ok(())
    }

    /// The same if there is a configuration: filters work without one.
    pub(crate) fn hand_on_if_there(&mut self) -> Result<()> {
        match hub::config::read(None, &|name| Some(self.variables.get(name).to_owned())) {
            Ok(config) if !config.files().is_empty() => self.hand_on(&config),
            _ => Ok(()),
        }
    }

    /// What the programs do, for their progress on a terminal.
    pub(crate) fn show_context(&mut self, text: &str) {
        self.variables.export(kit::progress::CONTEXT, text.into());
    }

    /// The text came from standard input, so programs find nothing there.
    pub(crate) const fn stdin_is_used(&mut self) {
        self.stdin_is_used = true;
    }

    /// Runs a complete text. A failure only ends its and-list, as in `sh`; the exit code is that of
    /// the first failure.
    ///
    /// # Errors
    /// The text cannot be parsed ([`Usage`]); then nothing has been started. Or a signal ended the programs
    /// ([`Interrupted`]).
    pub(crate) fn run(&mut self, text: &[u8]) -> Result<u8> {
        let script = parse::parse(text).map_err(|error| Usage(error.to_string()))?;
        self.run_script(&script, text)
    }

    fn run_script(&mut self, script: &Script, text: &[u8]) -> Result<u8> {
        let mut first_failure = 0;
        for list in &script.lists {
            let code = self.and_list(list, text)?;
            if first_failure == 0 {
                first_failure = code;
            }
        }
        Ok(first_failure)
    }

    fn and_list(&mut self, list: &AndList, text: &[u8]) -> Result<u8> {
        for pipeline in &list.pipelines {
            let code = self.pipeline(pipeline, text)?;
            if code != 0 {
                return Ok(code);
            }
        }
        Ok(0)
    }

    /// Runs one program with these arguments.
    ///
    /// # Errors
    /// A signal ended it ([`Interrupted`]), or the system refuses.
    pub(crate) fn run_program(&mut self, name: &str, args: Vec<OsString>) -> Result<u8> {
        self.run_one(name, args, Vec::new())
    }

    /// The same, discarding the program's standard output.
    pub(crate) fn run_without_output(&mut self, name: &str, args: Vec<OsString>) -> Result<u8> {
        self.run_one(name, args, vec![(Stream::Out, StreamEnd::Nothing)])
    }

    fn run_one(&self, name: &str, args: Vec<OsString>, redirects: Vec<(Stream, StreamEnd)>) -> Result<u8> {
        let Some(program) = self.programs.find(OsStr::new(name), self.variables.get("PATH")) else {
            self.not_found(OsStr::new(name));
            return Ok(NOT_FOUND);
        };
        let env = self.variables.for_programs().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let argv = std::iter::once(OsString::from(name)).chain(args).collect();
        let shown = vec![String::new()];
        self.start_and_wait(vec![Prepared { program, argv, env, redirects }], &shown, 0)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, text: &[u8]) -> Result<u8> {
        if let [command] = pipeline.commands.as_slice()
            && command.words.is_empty()
        {
            for (name, value) in &command.assignments {
                let value = expand::text(value, &self.variables);
                self.variables.set(name, value);
            }
        }
        let mut all = Vec::with_capacity(pipeline.commands.len());
        for command in &pipeline.commands {
            match self.prepare(command) {
                Ok(Some(prepared)) => all.push(prepared),
                // words that expand to nothing leave nothing to run
                Ok(None) if pipeline.commands.len() == 1 => return Ok(0),
                Ok(None) => {
                    let place = self.place(pipeline.line);
                    self.messages.error(format_args!("{place}: a part of the pipe is empty, nothing was started"));
                    return Ok(Exit::Usage.code());
                }
                Err(Refused { code, why }) => {
                    let place = self.place(pipeline.line);
                    self.messages.error(format_args!("{place}: {why}, nothing was started"));
                    return Ok(code);
                }
            }
        }
        let shown: Vec<_> = pipeline
            .commands
            .iter()
            .map(|c| String::from_utf8_lossy(text.get(c.span.clone()).unwrap_or_default()).replace("\\\n", ""))
            .collect();
        self.start_and_wait(all, &shown, pipeline.line)
    }

    fn prepare(&self, command: &Command) -> Result<Option<Prepared>, Refused> {
        let argv: Vec<_> = command.words.iter().flat_map(|word| expand::fields(word, &self.variables)).collect();
        let mut inner = self.variables.clone();
        if !command.words.is_empty() {
            for (name, value) in &command.assignments {
                let value = expand::text(value, &inner);
                inner.export(name, value);
            }
        }
        let mut redirects = Vec::with_capacity(command.redirects.len());
        for redirect in &command.redirects {
            let end = self.open(redirect).map_err(|e| Refused { code: Exit::Failed.code(), why: format!("{e:#}") })?;
            redirects.push((redirect.stream, end));
        }
        let Some(first) = argv.first() else { return Ok(None) };
        let Some(program) = self.programs.find(first, inner.get("PATH")) else {
            return Err(Refused { code: NOT_FOUND, why: self.programs.missing(first) });
        };
        let env = inner.for_programs().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Ok(Some(Prepared { program, argv, env, redirects }))
    }

    fn open(&self, redirect: &Redirect) -> Result<StreamEnd> {
        let path = |word| expand::text(word, &self.variables);
        let opened = |open: fn(&Path) -> std::io::Result<File>, word| {
            let path = PathBuf::from(path(word));
            let file = open(&path).with_context(|| format!("opening {}", path.display()))?;
            Ok(StreamEnd::File(file))
        };
        match &redirect.target {
            Target::Read(word) => opened(named::open, word),
            Target::Write(word) => opened(named::truncate, word),
            Target::Append(word) => opened(named::append, word),
            Target::Same(stream) => Ok(StreamEnd::Own(*stream)),
        }
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }

    fn not_found(&self, name: &OsStr) {
        self.messages.error(self.programs.missing(name));
    }

    fn start_and_wait(&self, all: Vec<Prepared>, shown: &[String], line: usize) -> Result<u8> {
        let names: Vec<_> = all.iter().map(|p| base_name(&p.argv[0])).collect();
        let n_processes = all.len();
        // they show their own progress
        let _paused = kit::progress::pause();
        let mut started = Vec::with_capacity(n_processes);
        let mut failure: Option<(usize, u8, String)> = None;
        let mut reader = None;
        for (i, prepared) in all.into_iter().enumerate() {
            let stdin = match reader.take() {
                Some(reader) => StreamEnd::Reader(reader),
                None if self.stdin_is_used => StreamEnd::Nothing,
                None => StreamEnd::Own(Stream::In),
            };
            let stdout = if i + 1 < n_processes {
                let (read_end, write_end) = std::io::pipe().context("making a pipe")?;
                reader = Some(read_end);
                StreamEnd::Writer(write_end)
            } else {
                StreamEnd::Own(Stream::Out)
            };
            match self.start(prepared, stdin, stdout) {
                Ok(child) => started.push(child),
                Err(error) if Interrupted::of(&error).is_some() => break,
                Err(error) => {
                    // processes that run already end by themselves: their pipe is closed
                    failure = Some((i, NOT_STARTED, format!("cannot be started: {error:#}")));
                    break;
                }
            }
        }
        drop(reader);
        let mut statuses = Vec::with_capacity(n_processes);
        for child in started {
            statuses.push(self.running.wait(child).context("waiting for a process")?);
        }
        if let Some(interrupted) = self.running.caught() {
            return Err(interrupted.into());
        }
        let mut others = Vec::new();
        for (i, status) in statuses.iter().enumerate() {
            if let Some((code, words)) = failed(*status) {
                match &failure {
                    Some((first, ..)) if *first < i => others.push(&names[i]),
                    _ => {
                        others.extend(failure.as_ref().map(|(first, ..)| &names[*first]));
                        failure = Some((i, code, words));
                    }
                }
            }
        }
        let Some((i, code, words)) = failure else {
            // the last process wrote to our standard output: its reader left
            let last = statuses.last().filter(|status| reader_left(**status));
            return Ok(last.map_or(0, |_| Exit::ReaderLeft.code()));
        };
        let mut place = Vec::new();
        if n_processes > 1 {
            place.push(format!("process {} of {n_processes}", i + 1));
        }
        if line > 0 {
            place.push(format!("{}: {}", self.place(line), shown[i]));
        }
        others.dedup();
        if !others.is_empty() {
            let others: Vec<_> = others.iter().map(|name| name.as_str()).collect();
            place.push(format!("then also {}", others.join(", ")));
        }
        let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join("; ")) };
        self.messages.error(format_args!("{} {words}{place}", names[i]));
        Ok(code)
    }

    fn start(&self, prepared: Prepared, stdin: StreamEnd, stdout: StreamEnd) -> Result<Child> {
        let mut ends = (stdin, stdout, StreamEnd::Own(Stream::Err));
        for (stream, end) in prepared.redirects {
            let end = match end {
                StreamEnd::Own(Stream::Out) => ends.1.same()?,
                StreamEnd::Own(_) => ends.2.same()?,
                other => other,
            };
            match stream {
                Stream::In => ends.0 = end,
                Stream::Out => ends.1 = end,
                Stream::Err => ends.2 = end,
            }
        }
        let shell = xshell::Shell::new()?;
        let (program, args) = (&prepared.program, &prepared.argv[1..]);
        let mut command = std::process::Command::from(xshell::cmd!(shell, "{program} {args...}"));
        command.envs(prepared.env);
        command.stdin(ends.0.into_stdio()).stdout(ends.1.into_stdio()).stderr(ends.2.into_stdio());
        self.running.start(&mut command)
    }
}

/// Why a pipe is not started at all.
struct Refused {
    code: u8,
    why: String,
}

fn base_name(name: &OsStr) -> String {
    Path::new(name).file_name().unwrap_or(name).to_string_lossy().into_owned()
}

fn reader_left(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.code() == Some(Exit::ReaderLeft.code().into()) || status.signal() == Some(signals::SIGPIPE)
}

/// Exit code and words for a real failure; a reader that left is not one.
fn failed(status: ExitStatus) -> Option<(u8, String)> {
    use std::os::unix::process::ExitStatusExt as _;
    if status.success() || reader_left(status) {
        return None;
    }
    if let Some(signal) = status.signal() {
        return Some((Interrupted(signal).code(), format!("was killed by {}", signals::name(signal))));
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Failed.code());
    Some((code, format!("failed with exit code {code}")))
}
