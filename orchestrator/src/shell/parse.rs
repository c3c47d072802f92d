//! Parsing the text of a chain into pipelines, before anything is started.
//!
//! The language is a subset of `sh` with the same meaning. Anything outside the subset is an error
//! with line and column, so that no chain runs that is only half understood.

use std::fmt;
use std::ops::Range;

/// A complete text: and-lists one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) lists: Vec<AndList>,
}

/// Pipelines joined by `&&`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AndList {
    pub(crate) pipelines: Vec<Pipeline>,
    /// The place of the list in the text, without its terminator.
    pub(crate) span: Range<usize>,
}

/// Commands joined by `|`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pipeline {
    pub(crate) commands: Vec<Command>,
    /// The line of its first word, from 1.
    pub(crate) line: usize,
}

/// One program with its arguments; without words, only assignments or redirections.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) assignments: Vec<(String, Word)>,
    pub(crate) words: Vec<Word>,
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) span: Range<usize>,
}

/// A word before expansion.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) parts: Vec<WordPart>,
    pub(crate) span: Range<usize>,
}

/// A piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WordPart {
    /// Text outside quotes: `*`, `?` and `[` match file names.
    Plain(Vec<u8>),
    /// Text inside quotes.
    Quoted(Vec<u8>),
    /// `$NAME`; inside double quotes it is neither split nor matched.
    Variable { name: String, quoted: bool },
}

/// Which stream of the process a redirection changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    In,
    Out,
    Err,
}

/// One redirection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) stream: Stream,
    pub(crate) target: Target,
}

/// Where a redirection leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Read(Word),
    Write(Word),
    Append(Word),
    /// `2>&1`, `>&2`: where the other stream leads at this moment.
    Same(Stream),
}

/// Why a text cannot be run, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) what: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for SyntaxError {}

/// Words with a special meaning at the start of a command in `sh`, which do not exist here.
const NOT_HERE: &[&str] = &[
    "!", "{", "}", "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in",
    "function", "select", "time", "coproc", "[[", "]]", ".", "alias", "bg", "break", "cd", "command", "continue",
    "declare", "eval", "exec", "exit", "export", "fg", "jobs", "let", "local", "pushd", "popd", "read", "readonly",
    "return", "set", "shift", "shopt", "source", "times", "trap", "typeset", "umask", "unalias", "unset", "wait",
];

/// Parses a complete text.
///
/// # Errors
/// The first construct that is not understood, with line and column.
pub(crate) fn parse(text: &[u8]) -> Result<Script, SyntaxError> {
    let mut parser = Parser { text, at: 0 };
    let mut script = Script::default();
    loop {
        parser.blank_lines();
        if parser.peek().is_none() {
            return Ok(script);
        }
        script.lists.push(parser.and_list()?);
        parser.blanks();
        match parser.peek() {
            None | Some(b'\n') => {}
            Some(b';') if parser.text.get(parser.at + 1) == Some(&b';') => {
                return Err(parser.bad(parser.at, "`;;` is not known here"));
            }
            Some(b';') => parser.at += 1,
            Some(_) => return Err(parser.unexpected()),
        }
    }
}

const fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Splits `NAME=VALUE`; `None` if the text is not an assignment.
pub(crate) fn split_assignment(text: &[u8]) -> Option<(&str, &[u8])> {
    let at = memchr::memchr(b'=', text)?;
    let (name, value) = (&text[..at], &text[at + 1..]);
    let valid = name.first().copied().is_some_and(is_name_start) && name.iter().copied().all(is_name);
    Some((std::str::from_utf8(name).ok().filter(|_| valid)?, value))
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn bad(&self, at: usize, what: impl Into<String>) -> SyntaxError {
        let before = &self.text[..at.min(self.text.len())];
        let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        SyntaxError {
            line: 1 + memchr::memchr_iter(b'\n', before).count(),
            // bytes that continue a character have no column of their own
            column: 1 + before[start..].iter().filter(|b| **b & 0xC0 != 0x80).count(),
            what: what.into(),
        }
    }

    fn unexpected(&self) -> SyntaxError {
        let what = match self.rest() {
            [] => "the text ends where a command is expected".to_owned(),
            [b'\n', ..] => "the line ends where a command is expected".to_owned(),
            [b'|', b'|', ..] => "`||` is not known here; what follows a failure is the caller's business".to_owned(),
            [b'&', b'>', ..] => "`&>` is not known here; write `>FILE 2>&1`".to_owned(),
            [b'&', b'&', ..] => "`&&` needs a command before it".to_owned(),
            [b'&', ..] => "`&` is not known here; nothing runs in the background".to_owned(),
            [b'(' | b')', ..] => "`(` and `)` are not known here; quote them to mean the characters".to_owned(),
            [byte, ..] => format!("`{}` needs a command before it", char::from(*byte)),
        };
        self.bad(self.at, what)
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips backslashes at line ends.
    fn joined_lines(&mut self) {
        while self.rest().starts_with(b"\\\n") {
            self.at += 2;
        }
    }

    /// Skips blanks, joined lines and a comment.
    fn blanks(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t', ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                [b'#', rest @ ..] => self.at += 1 + memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
                _ => return,
            }
        }
    }

    fn blank_lines(&mut self) {
        self.blanks();
        while self.peek() == Some(b'\n') {
            self.at += 1;
            self.blanks();
        }
    }

    fn and_list(&mut self) -> Result<AndList, SyntaxError> {
        let start = self.at;
        let mut pipelines = vec![self.pipeline()?];
        let mut end = self.at;
        loop {
            self.blanks();
            if !self.rest().starts_with(b"&&") {
                break;
            }
            self.at += 2;
            self.blank_lines();
            pipelines.push(self.pipeline()?);
            end = self.at;
        }
        // an unfinished list must not be cut off silently
        if matches!(self.peek(), Some(b'&' | b'|' | b'(' | b')')) {
            return Err(self.unexpected());
        }
        Ok(AndList { pipelines, span: start..end })
    }

    fn pipeline(&mut self) -> Result<Pipeline, SyntaxError> {
        let line = self.bad(self.at, "").line;
        let mut commands = vec![self.command()?];
        loop {
            let end = self.at;
            self.blanks();
            if self.peek() != Some(b'|') || self.rest().starts_with(b"||") {
                self.at = end;
                break;
            }
            self.at += 1;
            if self.peek() == Some(b'&') {
                return Err(self.bad(self.at - 1, "`|&` is not known here; write `2>&1 |`"));
            }
            self.blank_lines();
            commands.push(self.command()?);
        }
        if commands.len() > 1
            && let Some(empty) = commands.iter().find(|c| c.words.is_empty())
        {
            return Err(self.bad(empty.span.start, "a part of a pipe needs a program"));
        }
        Ok(Pipeline { commands, line })
    }

    fn command(&mut self) -> Result<Command, SyntaxError> {
        let start = self.at;
        let mut end = start;
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
            } else if matches!(self.peek(), None | Some(b'\n' | b';' | b'|' | b'&')) {
                break;
            } else if matches!(self.peek(), Some(b'(' | b')')) {
                return Err(self.unexpected());
            } else {
                let word = self.word()?;
                if let [WordPart::Plain(number)] = word.parts.as_slice()
                    && number.iter().all(u8::is_ascii_digit)
                    && matches!(self.peek(), Some(b'<' | b'>'))
                {
                    return Err(self.bad(word.span.start, "a number and its `<` or `>` must be written together"));
                }
                match split_word(&word) {
                    Some(assignment) if words.is_empty() => assignments.push(assignment),
                    _ => words.push(word),
                }
            }
            end = self.at;
            self.blanks();
        }
        if end == start {
            return Err(self.unexpected());
        }
        self.at = end;
        if let Some(first) = words.first()
            && let [WordPart::Plain(text)] = first.parts.as_slice()
            && let Ok(text) = std::str::from_utf8(text)
            && NOT_HERE.contains(&text)
        {
            return Err(self.bad(first.span.start, format!("`{text}` of the shell is not known here")));
        }
        Ok(Command { assignments, words, redirects, span: start..end })
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, SyntaxError> {
        let start = self.at;
        let digits = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        let number = &self.text[start..start + digits];
        let Some(arrow @ (b'<' | b'>')) = self.text.get(start + digits).copied() else { return Ok(None) };
        let stream = match (number, arrow) {
            (b"" | b"0", b'<') => Stream::In,
            (b"" | b"1", b'>') => Stream::Out,
            (b"2", b'>') => Stream::Err,
            _ => return Err(self.bad(start, "only 0<, 1> and 2> can be redirected here")),
        };
        self.at += digits + 1;
        let append = match (arrow, self.rest()) {
            (b'<', [b'<', ..]) => return Err(self.bad(start, "`<<` is not known here; put the text into a file")),
            (b'<', [b'>' | b'&', ..]) | (b'>', [b'|', ..]) => {
                return Err(self.bad(start, "only <, >, >>, 2>, 2>>, 2>&1 and >&2 are known here"));
            }
            (b'>', [b'&', other, rest @ ..]) => {
                let same = match (stream, other) {
                    (Stream::Err, b'1') => Stream::Out,
                    (Stream::Out, b'2') => Stream::Err,
                    _ => return Err(self.bad(start, "of `>&` only 2>&1 and >&2 are known here")),
                };
                if rest.first().is_some_and(|b| !b" \t\n;|&<>()".contains(b)) {
                    return Err(self.bad(start, "of `>&` only 2>&1 and >&2 are known here"));
                }
                self.at += 2;
                return Ok(Some(Redirect { stream, target: Target::Same(same) }));
            }
            (b'>', [b'>', ..]) => {
                self.at += 1;
                true
            }
            _ => false,
        };
        self.blanks();
        if matches!(self.peek(), None | Some(b'\n' | b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')')) {
            return Err(self.bad(self.at, "a redirection needs a file name"));
        }
        let word = self.word()?;
        let target = match (arrow, append) {
            (b'<', _) => Target::Read(word),
            (_, false) => Target::Write(word),
            (_, true) => Target::Append(word),
        };
        Ok(Some(Redirect { stream, target }))
    }

    fn word(&mut self) -> Result<Word, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'~') {
            return Err(self.bad(start, "`~` is not known here; write $HOME"));
        }
        let mut word = Word::default();
        let mut plain = Vec::new();
        loop {
            let at = self.at;
            let Some(byte) = self.peek() else { break };
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')' => break,
                b'\\' => {
                    self.at += 1;
                    match self.peek() {
                        None => return Err(self.bad(at, "the text ends after a backslash")),
                        Some(b'\n') => self.at += 1,
                        Some(b'\0') => return Err(self.bad(self.at, "a zero byte")),
                        Some(next) => {
                            self.at += 1;
                            flush(&mut plain, &mut word);
                            word.parts.push(WordPart::Quoted(vec![next]));
                        }
                    }
                }
                b'\'' => {
                    let rest = &self.text[at + 1..];
                    let n = memchr::memchr(b'\'', rest).ok_or_else(|| self.bad(at, "this quote (') is not closed"))?;
                    flush(&mut plain, &mut word);
                    if let Some(zero) = memchr::memchr(0, &rest[..n]) {
                        return Err(self.bad(at + 1 + zero, "a zero byte"));
                    }
                    word.parts.push(WordPart::Quoted(rest[..n].to_vec()));
                    self.at += n + 2;
                }
                b'"' => {
                    flush(&mut plain, &mut word);
                    self.double_quoted(&mut word)?;
                }
                b'$' => match self.variable(false)? {
                    Some(part) => {
                        flush(&mut plain, &mut word);
                        word.parts.push(part);
                    }
                    None => plain.push(b'$'),
                },
                b'`' => return Err(self.bad(at, "backquotes are not known here")),
                b'\0' => return Err(self.bad(at, "a zero byte")),
                _ => {
                    plain.push(byte);
                    self.at += 1;
                }
            }
        }
        flush(&mut plain, &mut word);
        word.span = start..self.at;
        if let Some(WordPart::Plain(text)) = word.parts.first()
            && let Some((_, value)) = split_assignment(text)
            && (value.first() == Some(&b'~') || memchr::memmem::find(value, b":~").is_some())
        {
            return Err(self.bad(start, "`~` is not known here; write $HOME"));
        }
        Ok(word)
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut text = Vec::new();
        // an empty pair of quotes is a word too
        let n_before = word.parts.len();
        loop {
            let at = self.at;
            match self.rest() {
                [] => return Err(self.bad(start, "this quote (\") is not closed")),
                [b'"', ..] => {
                    self.at += 1;
                    if !text.is_empty() || word.parts.len() == n_before {
                        word.parts.push(WordPart::Quoted(text));
                    }
                    return Ok(());
                }
                [b'\\', b'\n', ..] => self.at += 2,
                [b'\\', next @ (b'$' | b'`' | b'"' | b'\\'), ..] => {
                    text.push(*next);
                    self.at += 2;
                }
                [b'`', ..] => return Err(self.bad(at, "backquotes are not known here")),
                [b'\0', ..] => return Err(self.bad(at, "a zero byte")),
                [b'$', ..] => match self.variable(true)? {
                    Some(part) => {
                        if !text.is_empty() {
                            word.parts.push(WordPart::Quoted(std::mem::take(&mut text)));
                        }
                        word.parts.push(part);
                    }
                    None => text.push(b'$'),
                },
                [byte, ..] => {
                    text.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Parses after a dollar sign; `None` (and one byte further) if it is a literal.
    fn variable(&mut self, quoted: bool) -> Result<Option<WordPart>, SyntaxError> {
        let start = self.at;
        self.at += 1;
        self.joined_lines();
        let braced = self.peek() == Some(b'{');
        if braced {
            self.at += 1;
            self.joined_lines();
        }
        let mut name = String::new();
        while let Some(byte) = self.peek()
            && (if name.is_empty() { is_name_start(byte) } else { is_name(byte) })
        {
            name.push(char::from(byte));
            self.at += 1;
            // a name may continue on the next line
            self.joined_lines();
        }
        if name.is_empty() {
            return match self.peek() {
                _ if braced => Err(self.bad(start, "of `${…}` only ${NAME} is known here")),
                Some(b'(') => Err(self.bad(start, "`$(` is not known here; a chain has no commands within commands")),
                Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => {
                    Err(self.bad(start, "of the variables only $NAME and ${NAME} are known here"))
                }
                Some(b'\'' | b'"') if !quoted => Err(self.bad(start, "`$` before a quote is not known here")),
                _ => Ok(None),
            };
        }
        if braced {
            if self.peek() != Some(b'}') {
                return Err(self.bad(start, "of `${…}` only ${NAME} is known here"));
            }
            self.at += 1;
        }
        Ok(Some(WordPart::Variable { name, quoted }))
    }
}

fn flush(plain: &mut Vec<u8>, word: &mut Word) {
    if !plain.is_empty() {
        word.parts.push(WordPart::Plain(std::mem::take(plain)));
    }
}

/// The assignment in a word before the program, if it is one.
fn split_word(word: &Word) -> Option<(String, Word)> {
    let Some(WordPart::Plain(text)) = word.parts.first() else { return None };
    let (name, value) = split_assignment(text)?;
    let mut parts = Vec::with_capacity(word.parts.len());
    if !value.is_empty() {
        parts.push(WordPart::Plain(value.to_vec()));
    }
    parts.extend_from_slice(&word.parts[1..]);
    Some((name.to_owned(), Word { parts, span: word.span.clone() }))
}

/// The names of all variables that a text reads before it sets them, once each.
#[cfg(test)]
pub(crate) fn variables(script: &Script) -> Vec<String> {
    let mut set = Vec::new();
    let mut read = Vec::new();
    fn look(word: &Word, set: &[String], read: &mut Vec<String>) {
        for part in &word.parts {
            if let WordPart::Variable { name, .. } = part
                && !set.contains(name)
                && !read.contains(name)
            {
                read.push(name.clone());
            }
        }
    }
    for command in script.lists.iter().flat_map(|l| &l.pipelines).flat_map(|p| &p.commands) {
        command.words.iter().for_each(|word| look(word, &set, &mut read));
        for redirect in &command.redirects {
            if let Target::Read(word) | Target::Write(word) | Target::Append(word) = &redirect.target {
                look(word, &set, &mut read);
            }
        }
        for (name, value) in &command.assignments {
            look(value, &set, &mut read);
            if command.words.is_empty() {
                set.push(name.clone());
            }
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        let script = match parse(text.as_bytes()) {
            Ok(script) => script,
            Err(bad) => return format!("{}:{} {}", bad.line, bad.column, bad.what),
        };
        let word = |word: &Word| {
            let part = |part: &WordPart| match part {
                WordPart::Plain(text) => String::from_utf8_lossy(text).into_owned(),
                WordPart::Quoted(text) => format!("'{}'", String::from_utf8_lossy(text)),
                WordPart::Variable { name, quoted: false } => format!("<{name}>"),
                WordPart::Variable { name, quoted: true } => format!("<\"{name}\">"),
            };
            word.parts.iter().map(part).collect::<String>()
        };
        let redirect = |r: &Redirect| match &r.target {
            Target::Read(w) => format!("{:?}<{}", r.stream, word(w)),
            Target::Write(w) => format!("{:?}>{}", r.stream, word(w)),
            Target::Append(w) => format!("{:?}>>{}", r.stream, word(w)),
            Target::Same(s) => format!("{:?}={s:?}", r.stream),
        };
        let command = |c: &Command| {
            let assignments = c.assignments.iter().map(|(n, w)| format!("{n}:={}", word(w)));
            assignments.chain(c.words.iter().map(word)).chain(c.redirects.iter().map(redirect)).collect::<Vec<_>>()
        };
        let pipeline = |p: &Pipeline| p.commands.iter().map(|c| command(c).join(" ")).collect::<Vec<_>>().join(" | ");
        let list = |l: &AndList| l.pipelines.iter().map(pipeline).collect::<Vec<_>>().join(" && ");
        script.lists.iter().map(list).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_subset_of_sh_is_parsed() {
        for (text, expected) in [
            ("", ""),
            ("# only words\n\n  \t\n", ""),
            ("a b|c&&d;e", "a b | c && d\ne"),
            ("a |\n # why\n b &&\n\n c\n", "a | b && c"),
            ("a \\\n b\\\nc", "a bc"),
            ("a 'x y'\"z $V\"\\* ${W}x", "a 'x y''z '<\"V\">'*' <W>x"),
            ("a '' \"\" \"$V\"", "a '' '' <\"V\">"),
            (r#"a "\$x \a \" \\" '\'"#, r#"a '$x \a " \' '\'"#),
            ("A=1 B= c D=2", "A:=1 B:= c D=2"),
            ("A\\=1 \"B\"=2 1C=3", "A'='1 'B'=2 1C=3"),
            ("a <in >out 2>>err x", "a x In<in Out>out Err>>err"),
            ("a > \"$O\" 2>&1 | b >&2", "a Out><\"O\"> Err=Out | b Out=Err"),
            ("a 1 2> f 3>x", "1:10 only 0<, 1> and 2> can be redirected here"),
            ("a x#y #z", "a x#y"),
            ("a $ x$ $/ \"$\"", "a $ x$ $/ '$'"),
            ("> made", "Out>made"),
            ("a;", "a"),
            ("a \\;b", "a ';'b"),
            ("a $V\\\nW \"$\\\n{X\\\n}\"", "a <VW> <\"X\">"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        for (text, place) in [
            ("a || b", "1:3 `||`"),
            ("a\nb &", "2:3 `&`"),
            ("a &> f", "1:3 `&>`"),
            ("a |& b", "1:3 `|&`"),
            ("a `b`", "1:3 backquotes"),
            ("a \"x`b`\"", "1:5 backquotes"),
            ("é $(b)", "1:3 `$(`"),
            ("a $((1+1))", "1:3 `$(`"),
            ("a $1", "1:3 of the variables"),
            ("a \"$?\"", "1:4 of the variables"),
            ("a ${B:-c}", "1:3 of `${"),
            ("a ${}", "1:3 of `${"),
            ("a $'b'", "1:3 `$` before"),
            ("a 'b\nc", "1:3 this quote (')"),
            ("a \"b\nc", "1:3 this quote (\")"),
            ("a \\", "1:3 the text ends"),
            ("a (b)", "1:3 `(`"),
            ("(a)", "1:1 `(`"),
            ("a << E", "1:3 `<<`"),
            ("a <> f", "1:3 only"),
            ("a >| f", "1:3 only"),
            ("a >&3", "1:3 of `>&`"),
            ("a 2>&12", "1:3 of `>&`"),
            ("a >", "1:4 a redirection"),
            ("a > ; b", "1:5 a redirection"),
            ("a |", "1:4 the text ends"),
            ("a &&\n", "2:1 the text ends"),
            ("| a", "1:1 `|` needs"),
            ("; a", "1:1 `;` needs"),
            ("a ;; b", "1:3 `;;`"),
            ("a ; ; b", "1:5 `;` needs"),
            ("a && && b", "1:6 `&&` needs"),
            ("a | | b", "1:5 `|` needs"),
            ("A=1 | b", "1:1 a part of a pipe"),
            ("if a; then b; fi", "1:1 `if`"),
            ("a && ! b", "1:6 `!`"),
            ("cd /tmp", "1:1 `cd`"),
            ("ls ~/x", "1:4 `~`"),
            ("A=~/x b", "1:1 `~`"),
            ("a \0", "1:3 a zero byte"),
            ("a 2\\\n>f", "1:3 a number"),
        ] {
            assert!(shown(text).starts_with(place), "{text:?} gives {}", shown(text));
        }
    }

    #[test]
    fn variables_read_before_they_are_set_are_found() {
        let read = |text: &str| variables(&parse(text.as_bytes()).unwrap());
        assert_eq!(read("a $X \"${Y}\" > $Z; A=$X; b $A"), ["X", "Y", "Z"]);
        assert_eq!(read("A=1 b $A"), ["A"]);
        assert_eq!(read("a 'not $X'"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn never_panics_and_spans_lie_within(text in proptest::collection::vec(prop_oneof![
            any::<u8>(), proptest::sample::select(&b" \n|&;<>'\"\\$#{}=ab12~"[..])], 0..40)) {
            if let Ok(script) = parse(&text) {
                for list in &script.lists {
                    prop_assert!(list.span.start < list.span.end && list.span.end <= text.len());
                }
            }
        }
    }
}
