//! The list of what the programs are built from (SBOM, CycloneDX), beside the packages.
//!
//! cargo-cyclonedx describes each program in a file; one file for all of them is what scanners expect.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use checkout::place;
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::files::{copy, copy_tree, write};
use crate::packages;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What cargo reads. cargo-cyclonedx writes beside it, so it gets a copy.
const COPIED: [&str; 5] = ["schema", "stages", "orchestrator", "fixtures", "scripts"];

/// Makes `hzmetrics-VERSION.cdx.json` in the folder and returns its path.
pub(crate) fn make(sh: &Shell, to: &Path) -> Result<PathBuf> {
    let sources = tempfile::tempdir().context("creating a folder for a copy of the sources")?;
    let sources = sources.path().canonicalize().context("finding that folder")?;
    copy_sources(&place::root()?, &sources)?;
    let _path = sh.push_env("PATH", packages::tools(sh)?);
    let _time = sh.push_env("SOURCE_DATE_EPOCH", packages::time_of_commit(sh));
    {
        let _there = sh.push_dir(&sources);
        cmd!(
            sh,
            "cargo cyclonedx -q --format json --describe binaries --spec-version 1.5 --no-build-deps
             --target x86_64-unknown-linux-gnu"
        )
        .quiet()
        .run()?;
    }
    let mut described = Vec::new();
    for name in place::executables(sh)? {
        let folder = if name == "hzmetrics" { "orchestrator".to_owned() } else { format!("stages/{name}") };
        let path = sources.join(folder).join(format!("{name}_bin.cdx.json"));
        let text = fs::read_to_string(&path).with_context(|| format!("reading what is known of {name}"))?;
        let text = text.replace(&format!("file://{}", sources.display()), "file:///hzmetrics");
        described.push(serde_json::from_str(&text).with_context(|| format!("the description of {name}"))?);
    }
    let made = to.join(format!("hzmetrics-{VERSION}.cdx.json"));
    let text = serde_json::to_string_pretty(&united(&described)?).context("writing the SBOM")?;
    write(&made, (text + "\n").as_bytes())?;
    Ok(made)
}

/// Copies what cargo needs to build.
pub(crate) fn copy_sources(root: &Path, to: &Path) -> Result<()> {
    for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        copy(&root.join(file), &to.join(file))?;
    }
    for folder in COPIED {
        copy_tree(&root.join(folder), &to.join(folder))?;
    }
    Ok(())
}

/// One description: the programs are components beside the libraries, and each component is named once.
fn united(described: &[Value]) -> Result<Value> {
    let (mut components, mut dependencies) = (BTreeMap::new(), BTreeMap::new());
    let mut programs = Vec::new();
    let first = described.first().context("there are no programs")?;
    for one in described {
        let program = &one["metadata"]["component"];
        programs.push(program["bom-ref"].clone());
        let listed = one["components"].as_array().into_iter().flatten();
        for component in std::iter::once(program).chain(listed) {
            components.entry(component["bom-ref"].to_string()).or_insert_with(|| component.clone());
        }
        for dependency in one["dependencies"].as_array().into_iter().flatten() {
            dependencies.entry(dependency["ref"].to_string()).or_insert_with(|| dependency.clone());
        }
    }
    let product = format!("pkg:generic/hzmetrics@{VERSION}");
    let mut edges: Vec<_> = dependencies.into_values().collect();
    edges.push(json!({ "ref": product, "dependsOn": programs }));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": first["specVersion"],
        "version": 1,
        "metadata": {
            "timestamp": first["metadata"]["timestamp"],
            "tools": first["metadata"]["tools"],
            "component": {
                "type": "application",
                "bom-ref": product,
                "name": "hzmetrics",
                "version": VERSION,
                "purl": product,
                "licenses": [{ "expression": "MIT" }],
            },
        },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": edges,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_libraries_are_named_once() {
        let program = |name: &str| {
            json!({
                "specVersion": "1.5",
                "metadata": { "timestamp": "t", "tools": [], "component": { "bom-ref": name } },
                "components": [{ "bom-ref": "kit" }],
                "dependencies": [{ "ref": name, "dependsOn": ["kit"] }, { "ref": "kit" }],
            })
        };
        let both = united(&[program("archive"), program("report")]).unwrap();
        let refs = |list: &str, key: &str| -> Vec<String> {
            both[list].as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(refs("components", "bom-ref"), ["archive", "kit", "report"]);
        let product = format!("pkg:generic/hzmetrics@{VERSION}");
        assert_eq!(refs("dependencies", "ref"), ["archive", "kit", "report", &product]);
        assert_eq!(both["dependencies"][3]["dependsOn"], json!(["archive", "report"]));
        assert!(united(&[]).is_err());
    }
}
