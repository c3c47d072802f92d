//! Puts the report together: title, sections, remarks and the logo become a document.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kit::Usage;
use schema::Month;

use crate::args::Args;
use crate::document::{Chart, Document, Figure, plain};
use crate::ground::Ground;
use crate::sections::Sections;
use crate::words::fill;

/// Everything that the report says.
pub(crate) fn document(args: &Args, ground: &Ground, sections: &Sections, logo: Option<String>) -> Document {
    let words = ground.words;
    let months = sections.months();
    let mut remarks = vec![if args.private { words.remark_private } else { words.remark_public }.to_owned()];
    remarks.extend(sections.left_out.iter().cloned());
    let shown = sections.finished(ground);
    let is_map = |figure: &Figure| matches!(figure.chart, Chart::Map(_));
    if shown.iter().flat_map(|section| &section.figures).any(is_map) {
        remarks.push(words.remark_map.to_owned());
    }
    Document {
        title: title(args, ground),
        subtitle: subtitle(ground, &sections.leading_months(), &months),
        pages: Vec::new(),
        logo,
        sections: shown,
        remarks,
        is_private: args.private,
        is_brief: args.brief,
    }
}

/// The title of every page.
pub(crate) fn title(args: &Args, ground: &Ground) -> String {
    args.title.as_deref().map_or_else(|| ground.words.title.to_owned(), plain)
}

/// The line below the title of a page.
fn subtitle(ground: &Ground, leading: &[Month], months: &[Month]) -> String {
    let words = ground.words;
    if ground.is_running {
        return fill(words.subtitle_running, &[&words.month_name(ground.running)]);
    }
    words.subtitle(ground.month_among(leading), months.first().copied().zip(months.last().copied()))
}

/// The largest logo, in bytes.
const MAX_LOGO: usize = 500_000;

/// A picture as a `data:` address.
///
/// # Errors
/// It cannot be read, is too large or is not a picture.
pub(crate) fn logo(path: &std::path::Path) -> Result<String> {
    let doing = || format!("reading the logo {}", path.display());
    let bytes = kit::door::named::read_at_most(path, 64 << 20).with_context(doing)?;
    if bytes.len() > MAX_LOGO {
        bail!("the logo {} has {} bytes; at most {MAX_LOGO} are allowed", path.display(), bytes.len());
    }
    let Some(kind) = picture_kind(&bytes) else {
        return Err(Usage(format!("the logo {} is not a PNG, JPEG, GIF, WebP or SVG file", path.display())).into());
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
