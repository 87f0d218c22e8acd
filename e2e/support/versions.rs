//! Two versions of Rollcall, of which one is installed: the binary that its pods run, and its chart.
//!
//! `make test-upgrade` builds both into a folder, as `before` and `after`, each with `rollcall` and `chart`. Processes and Helm
//! go by the link `now` next to them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The folder of the two, where there are two.
fn folder() -> Option<PathBuf> {
    std::env::var_os("ROLLCALL_VERSIONS").map(PathBuf::from)
}

/// The chart of the version that is installed: this checkout's, where there is only one.
pub fn chart() -> PathBuf {
    folder().map_or_else(|| Path::new("charts/rollcall").to_owned(), |folder| folder.join("now/chart"))
}

/// The binary in an image, which is called by its version there; `None` where there is only one.
pub fn of_image(image: &str) -> Option<PathBuf> {
    let (_, version) = image.rsplit_once(':')?;
    Some(folder()?.join(version).join("rollcall"))
}

/// Makes a version, `before` or `after`, the one that is installed from now on.
pub fn install(version: &str) {
    let folder = folder().expect("two versions: run `make test-upgrade`");
    let (now, next) = (folder.join("now"), folder.join("next"));
    assert!(folder.join(version).join("rollcall").exists(), "there is no version {version}");
    std::fs::remove_file(&next).ok();
    symlink(version, &next).unwrap();
    std::fs::rename(&next, &now).unwrap();
}
