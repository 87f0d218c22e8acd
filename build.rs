//! Finds the connectors under `connectors/`, so that adding one needs no Rust.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// Known when this script is compiled, and not only when it runs: checkouts that share a target folder would otherwise
/// take over one another's list.
const CONNECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/connectors");

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=connectors");
    let mut names = Vec::new();
    for folder in fs::read_dir(CONNECTORS)? {
        names.extend(folder?.file_name().into_string());
    }
    names.sort();
    let mut list = String::from("&[\n");
    for name in names {
        let file = Path::new(CONNECTORS).join(&name).join("connector.yaml");
        writeln!(list, "    ({name:?}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    #[allow(clippy::disallowed_methods, reason = "cargo tells a build script by its environment where to write")]
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("catalogue.rs"), list)?;
    Ok(())
}
