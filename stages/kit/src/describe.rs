//! What a stage reads and writes, as data: printed by `--describe`, shown in the documentation, and
//! used by the orchestrator to check that a chain fits together.

use schema::Kind;

/// The interface of a stage.
#[derive(Debug, Clone, Copy)]
pub struct Describe {
    /// Name of the executable.
    pub name: &'static str,
    /// One line that says what it does.
    pub about: &'static str,
    /// Kinds of records that it uses.
    pub reads: &'static [Kind],
    /// Kinds of records that it makes or changes.
    pub writes: &'static [Kind],
    /// Tables that `--db` reads.
    pub reads_tables: &'static [&'static str],
    /// Tables that `--db` writes.
    pub writes_tables: &'static [&'static str],
    /// The kind that `--format csv` writes by default.
    pub main_kind: Kind,
    /// Steps for `--only`, in order.
    pub steps: &'static [&'static str],
}

impl Describe {
    /// The description as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let kinds = |kinds: &[Kind]| kinds.iter().map(|k| k.name()).collect::<Vec<_>>();
        serde_json::json!({
            "name": self.name,
            "about": self.about,
            "reads": kinds(self.reads),
            "writes": kinds(self.writes),
            "reads_tables": self.reads_tables,
            "writes_tables": self.writes_tables,
            "main_kind": self.main_kind.name(),
            "steps": self.steps,
            "exit_codes": {"done": 0, "failed": 1, "usage": 2, "rejects": 3, "busy": 75, "reader_left": 141},
        })
        .to_string()
    }
}
