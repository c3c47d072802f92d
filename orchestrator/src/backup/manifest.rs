//! `backup.json` in a backup: what it holds. It is written last, so a folder without it is not complete.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use kit::door::{self, Temporary};
use serde_json::{Value, json};

/// Its name.
pub(super) const NAME: &str = "backup.json";
/// The archive of the metrics database.
pub(super) const METRICS: &str = "metrics.sql.zst";
/// The format of a backup.
const FORMAT: u64 = 1;
/// The largest one that is read.
const LIMIT: u64 = 1 << 20;

/// One archive of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archive {
    pub(super) name: String,
    /// Its size, compressed.
    pub(super) bytes: u64,
    /// Its tables, with the prefix of the hub if it is of the hub's database.
    pub(super) tables: Vec<String>,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// When it was made, in seconds since 1970.
    pub(super) time: i64,
    pub(super) metrics_db: String,
    pub(super) hub_db: String,
    pub(super) prefix: String,
    pub(super) archives: Vec<Archive>,
}

impl Manifest {
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let archive =
            |archive: &Archive| json!({"name": archive.name, "bytes": archive.bytes, "tables": archive.tables});
        let text = json!({
            "format": FORMAT, "program": kit::VERSION, "time": self.time, "metrics_db": self.metrics_db,
            "hub_db": self.hub_db, "prefix": self.prefix, "archives": self.archives.iter().map(archive).collect::<Vec<_>>(),
        });
        let write = || -> std::io::Result<()> {
            let mut file = Temporary::beside(&folder.join(NAME))?;
            file.set_mode(0o600)?;
            file.write_all(format!("{text}\n").as_bytes())?;
            file.file().sync_all()?;
            file.publish(OsStr::new(NAME))
        };
        write().with_context(|| format!("writing {}", folder.join(NAME).display()))
    }

    /// Reads that of a backup, and looks whether its archives are all there.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let text = door::read_to_string(&path, LIMIT)
            .with_context(|| format!("reading {}: without it this is not a complete backup", path.display()))?;
        let value: Value = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        let format = value["format"].as_u64().unwrap_or(0);
        ensure!(format == FORMAT, "{} has the format {format}; this program knows {FORMAT}", path.display());
        let found = of(&value).with_context(|| format!("{} lacks fields of its format", path.display()))?;
        for archive in &found.archives {
            let at = folder.join(&archive.name);
            let size = door::look(&at)?.map(|stat| stat.st_size.unsigned_abs());
            ensure!(size == Some(archive.bytes), "{} is missing or was changed", at.display());
        }
        Ok(found)
    }
}

fn of(value: &Value) -> Option<Manifest> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // names come from a file: none of them may lead elsewhere
    let name = |value: &Value| text(value).filter(|name| !name.contains('/') && name.ends_with(".sql.zst"));
    let archive = |archive: &Value| {
        let tables = archive["tables"].as_array()?.iter().map(text).collect::<Option<_>>()?;
        Some(Archive { name: name(&archive["name"])?, bytes: archive["bytes"].as_u64()?, tables })
    };
    Some(Manifest {
        time: value["time"].as_i64()?,
        metrics_db: text(&value["metrics_db"])?,
        hub_db: text(&value["hub_db"])?,
        prefix: text(&value["prefix"])?,
        archives: value["archives"].as_array()?.iter().map(archive).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_its_file_and_finds_missing_archives() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive { name: "metrics.sql.zst".to_owned(), bytes: 3, tables: vec!["web".to_owned()] };
        let manifest = Manifest {
            time: 7,
            metrics_db: "m".to_owned(),
            hub_db: "h".to_owned(),
            prefix: "jos_".to_owned(),
            archives: vec![archive],
        };
        assert!(Manifest::read(folder.path()).unwrap_err().to_string().contains("not a complete backup"));
        manifest.write(folder.path()).unwrap();
        assert!(Manifest::read(folder.path()).unwrap_err().to_string().contains("is missing or was changed"));
        std::fs::write(folder.path().join("metrics.sql.zst"), "abc").unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
        for bad in ["{}", "{\"format\":2}", "{\"format\":1,\"time\":1}", "x"] {
            std::fs::write(folder.path().join(NAME), bad).unwrap();
            assert!(Manifest::read(folder.path()).is_err(), "{bad}");
        }
    }
}
