//! Which work a run does: a report of records, or of the tables.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kit::{Endpoint, Format, Io, Outcome, Output, Usage};
use schema::Kind;

use crate::args::{Args, Language};
use crate::document::{Document, plain};
use crate::ground::Ground;
use crate::privacy::Privacy;
use crate::sections::Sections;
use crate::words::{EN, Words};
use crate::{records, render, tables};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, an input cannot be read or the output cannot be written.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if args.common.to_db() && !args.common.db {
        return Err(Usage("a report is not written to the databases; `--to FILE`".to_owned()).into());
    }
    let logo = args.logo.as_deref().map(logo).transpose()?;
    let ground = ground(args)?;
    let sections = if args.common.from_db() { tables::read(args, &ground)? } else { records::read(args, io)? };
    let document = document(args, &ground, &sections, logo);
    // with --db there is no table to write, and standard output is where a report goes
    let to = if args.common.db { Endpoint::Standard } else { Endpoint::from_arg(&args.common.to) };
    let mut output = Output::new(&to, Format::Ndjson, Kind::Cell.name(), io.messages)?;
    render::write(&document, args.common.format, words(args.lang), output.raw())?;
    output.finish()?;
    Ok(Outcome::default())
}

const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &EN,
    }
}

fn ground(args: &Args) -> Result<Ground> {
    Ok(Ground {
        words: words(args.lang),
        privacy: if args.private { Privacy::Private } else { Privacy::Public },
        month: args.month,
        running: kit::current_month()?,
        incomplete: args.incomplete.clone(),
        n_months: args.months,
        top: usize::try_from(args.top).unwrap_or(usize::MAX),
    })
}

/// Everything that the report says.
fn document(args: &Args, ground: &Ground, sections: &Sections, logo: Option<String>) -> Document {
    let words = ground.words;
    let months = sections.months();
    let mut remarks = vec![if args.private { words.remark_private } else { words.remark_public }.to_owned()];
    remarks.push(words.remark_map.to_owned());
    Document {
        title: args.title.as_deref().map_or_else(|| words.title.to_owned(), plain),
        subtitle: words.subtitle(
            ground.month_among(&sections.leading_months()),
            months.first().copied().zip(months.last().copied()),
        ),
        logo,
        sections: sections.finished(ground),
        remarks,
        is_private: args.private,
    }
}

/// The largest logo, in bytes.
const MAX_LOGO: usize = 500_000;

/// A picture as a `data:` address.
fn logo(path: &std::path::Path) -> Result<String> {
    let doing = || format!("reading the logo {}", path.display());
    let bytes = kit::door::named::read(path).with_context(doing)?;
    if bytes.len() > MAX_LOGO {
        bail!("the logo {} has {} bytes; at most {MAX_LOGO} are allowed", path.display(), bytes.len());
    }
    let Some(kind) = picture_kind(&bytes) else {
        return Err(Usage(format!("the logo {} is no PNG, JPEG, GIF, WebP or SVG", path.display())).into());
    };
    Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(&bytes)))
}

/// What kind of picture begins like this.
fn picture_kind(bytes: &[u8]) -> Option<&'static str> {
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    match bytes {
        _ if bytes.starts_with(b"\x89PNG\r\n") => Some("png"),
        _ if bytes.starts_with(b"\xff\xd8\xff") => Some("jpeg"),
        _ if bytes.starts_with(b"GIF8") => Some("gif"),
        _ if is_webp => Some("webp"),
        _ if bytes.trim_ascii_start().starts_with(b"<") && head.windows(4).any(|part| part == b"<svg") => {
            Some("svg+xml")
        }
        _ => None,
    }
}
