//! Finds the connectors under `connectors/`, so that adding one needs no Rust.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../../connectors");
    // Checkouts that share a target folder would take over one another's list: cargo does not tell them apart.
    println!("cargo:rerun-if-env-changed=PWD");
    #[allow(clippy::disallowed_methods, reason = "cargo tells a build script everything by its environment")]
    let (root, out) = (env::var("CARGO_MANIFEST_DIR")?, env::var("OUT_DIR")?);
    let connectors = Path::new(&root).join("../../connectors");
    let mut names = Vec::new();
    for folder in fs::read_dir(&connectors)? {
        names.extend(folder?.file_name().into_string());
    }
    names.sort();
    let mut list = String::from("&[\n");
    for name in names {
        let file = connectors.join(&name).join("connector.yaml");
        writeln!(list, "    ({name:?}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&out).join("catalogue.rs"), list)?;
    Ok(())
}
