//! The files of manifests: which are meant, and the documents in them.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::Failure;
use super::{MANIFESTS, ended};

/// The files that are meant: a directory stands for the manifests in it, in the order of their names.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let wrong = |error: std::io::Error| ended(MANIFESTS, format!("{}: {error}", path.display()));
        let entries = fs::read_dir(path).map_err(wrong)?.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let manifest = |path: &PathBuf| {
            path.extension()
                .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end.eq_ignore_ascii_case(known)))
        };
        let mut inside: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(manifest).collect();
        inside.sort();
        if inside.is_empty() {
            return Err(ended(MANIFESTS, format!("{}: contains no .yaml, .yml or .json file", path.display())));
        }
        files.extend(inside);
    }
    Ok(files)
}

/// The text of a file; of the standard input, where it is called `-`.
pub(super) fn text_of(path: &Path) -> Result<String, Failure> {
    let read = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| ended(MANIFESTS, format!("{}: {error}", path.display())))
}

/// The documents of a file, each with the number of lines before it.
pub(super) fn documents(text: &str) -> Vec<(usize, String)> {
    let mut found = vec![(0, String::new())];
    for (number, line) in text.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") {
            found.push((number + 1, String::new()));
        } else if let Some((_, document)) = found.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let says = |text: &str| text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    found.into_iter().filter(|(_, document)| says(document)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart_and_keep_their_lines() {
        let text = "# only words\n---\nkind: A\n---\n\n--- # more\nkind: B\n  ---\n";
        let found = documents(text);
        assert_eq!(found, [(2, "kind: A\n".to_owned()), (6, "kind: B\n  ---\n".to_owned())]);
    }

    #[test]
    fn a_directory_means_the_manifests_in_it_by_name() {
        let folder = std::env::temp_dir().join(format!("rollcall-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let refused = files(std::slice::from_ref(&folder)).unwrap_err().to_string();
        assert!(refused.ends_with("contains no .yaml, .yml or .json file"), "{refused}");
        for name in ["b.yml", "a.yaml", "people.csv", "c.JSON"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let found = files(&[folder.clone(), PathBuf::from("-")]).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["a.yaml", "b.yml", "c.JSON", "-"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
