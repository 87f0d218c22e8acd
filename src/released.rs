//! What a release is made by: its scripts do what they say, and its workflows run nothing that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::api;

/// What a script prints, or what it says where it fails.
fn run(script: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("bash").arg(script).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rollcall-{name}-{}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_notes_of_a_release_are_what_the_changelog_says_of_it_and_nothing_else() {
    let folder = folder("notes");
    let changelog = folder.join("CHANGELOG.md");
    let text = "# Changelog\n\n## Unreleased\n\n- later\n\n## 0.2.0 (2026-12-01)\n\n- new ([page](pages/page.md#a), [other](https://example.com/x))\n\n## 0.1.0\n\n- old\n\n## 0.0.9\n\n";
    fs::write(&changelog, text).unwrap();
    let notes = |version: &str| {
        run("release/notes.sh", &[version, "https://example.com/rollcall/", changelog.to_str().unwrap()])
    };
    let expected =
        "- new ([page](https://example.com/rollcall/blob/v0.2.0/pages/page.md#a), [other](https://example.com/x))\n";
    assert_eq!(notes("0.2.0").unwrap(), expected);
    assert_eq!(notes("0.1.0").unwrap(), "- old\n");
    for version in ["0.0.9", "0.3.0", "0.2"] {
        assert!(notes(version).unwrap_err().contains("has nothing under"), "{version}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn everything_that_names_the_version_agrees() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(run("release/version.sh", &[]).unwrap().trim(), version);
    let refused = run("release/version.sh", &["v9.9.9"]).unwrap_err();
    assert!(refused.contains(&format!("the tag says 9.9.9, Cargo.toml says {version}")), "{refused}");
}

#[test]
fn a_target_of_rust_is_called_as_images_and_krew_call_it() {
    let called = |target: &str| {
        let script = ". release/target.sh; printf '%s %s %s' $os $arch \"$suffix\"";
        let output = Command::new("bash").args(["-ec", script]).env("TARGET", target).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    for (target, expected) in [
        ("x86_64-unknown-linux-gnu", Some("linux amd64")),
        ("aarch64-unknown-linux-gnu", Some("linux arm64")),
        ("aarch64-apple-darwin", Some("darwin arm64")),
        ("x86_64-pc-windows-gnu", Some("windows amd64 .exe")),
        ("x86_64-pc-windows-msvc", Some("windows amd64 .exe")),
        ("riscv64gc-unknown-linux-gnu", None),
        ("x86_64-unknown-freebsd", None),
    ] {
        assert_eq!(called(target).as_deref(), expected, "{target}");
    }
}

/// The crates that are linked into the image for a target.
fn crates_of_the_image(target: &str) -> BTreeSet<String> {
    let arguments =
        ["tree", "--locked", "--package", "rollcall", "--edges", "normal,no-proc-macro", "--target", target];
    let form = ["--no-default-features", "--prefix", "none", "--format", "{p}"];
    let output = Command::new("cargo").args(arguments).args(form).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn what_is_said_to_be_in_the_image_is_said_of_both_architectures() {
    let (told, other) =
        (crates_of_the_image("x86_64-unknown-linux-gnu"), crates_of_the_image("aarch64-unknown-linux-gnu"));
    assert!(told.len() > 200, "{}", told.len());
    let missing: Vec<_> = other.difference(&told).collect();
    assert!(missing.is_empty(), "in the image for arm64, and not in the SBOM: {missing:?}");
}

#[test]
fn krew_is_told_of_each_archive_by_its_checksum() {
    let folder = folder("krew");
    let path = folder.to_str().unwrap();
    let arguments = ["1.2.3", "https://example.com/rollcall", path];
    assert!(run("release/krew.sh", &arguments).unwrap_err().contains("no archive"));
    for (name, text) in [("linux_amd64", "a"), ("darwin_arm64", "b"), ("windows_amd64", "c")] {
        fs::write(folder.join(format!("kubectl-rollcall_{name}.tar.gz")), text).unwrap();
    }
    let manifest: Value = serde_saphyr::from_str(&run("release/krew.sh", &arguments).unwrap()).unwrap();
    assert_eq!((&manifest["kind"], &manifest["spec"]["version"]), (&"Plugin".into(), &"v1.2.3".into()));
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    let shown: Vec<_> = platforms
        .iter()
        .map(|platform| {
            format!(
                "{} {} {}",
                platform["uri"].as_str().unwrap(),
                platform["selector"]["matchLabels"]["os"],
                platform["bin"]
            )
        })
        .collect();
    let at = "https://example.com/rollcall/releases/download/v1.2.3/kubectl-rollcall_";
    let expected = [
        format!("{at}darwin_arm64.tar.gz \"darwin\" \"kubectl-rollcall\""),
        format!("{at}linux_amd64.tar.gz \"linux\" \"kubectl-rollcall\""),
        format!("{at}windows_amd64.tar.gz \"windows\" \"kubectl-rollcall.exe\""),
    ];
    assert_eq!(shown, expected);
    let digest = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(b"b"));
    assert_eq!(platforms[0]["sha256"], digest.as_str());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_chart_names_each_kind_and_its_examples_are_taken() {
    let chart: Value = serde_saphyr::from_str(&fs::read_to_string("charts/rollcall/Chart.yaml").unwrap()).unwrap();
    let annotation = |name: &str| -> Vec<Value> {
        serde_saphyr::from_str(chart["annotations"][format!("artifacthub.io/{name}")].as_str().unwrap()).unwrap()
    };
    let named: BTreeSet<_> = annotation("crds")
        .iter()
        .map(|one| (one["kind"].to_string(), one["name"].to_string(), one["version"].to_string()))
        .collect();
    let there: BTreeSet<_> = api::definitions()
        .into_iter()
        .map(|one| {
            let text = |text: &str| Value::from(text).to_string();
            (text(&one.spec.names.kind), text(one.metadata.name.as_deref().unwrap()), text(&one.spec.versions[0].name))
        })
        .collect();
    assert_eq!(named, there);
    for example in annotation("crdsExamples") {
        match example["kind"].as_str().unwrap() {
            "HRConnection" => drop(serde_json::from_value::<api::HRConnection>(example).unwrap()),
            "SyncPolicy" => drop(serde_json::from_value::<api::SyncPolicy>(example).unwrap()),
            other => panic!("no example of a {other} is known"),
        }
    }
}

/// Every workflow, with its path.
fn workflows() -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(".github/workflows").unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    assert!(found.len() > 1);
    found
}

#[test]
fn a_workflow_runs_only_what_is_in_the_repository() {
    let makefile = fs::read_to_string("Makefile").unwrap();
    let (script, target) = (
        Regex::new(r"(?:^|[\s(])((?:release|\.ci|e2e)/[\w.-]+)").unwrap(),
        Regex::new(r"(?:run: |^\s+)make ([\w -]+)").unwrap(),
    );
    let mut seen = 0;
    for (path, text) in workflows() {
        for found in
            text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| script.captures_iter(line))
        {
            seen += 1;
            assert!(Path::new(&found[1]).exists(), "{}: {}", path.display(), &found[1]);
        }
        for found in text.lines().flat_map(|line| target.captures_iter(line)) {
            for name in found[1].split_whitespace().filter(|name| name.chars().all(|one| one.is_ascii_lowercase())) {
                seen += 1;
                assert!(makefile.contains(&format!("\n{name}:")), "{}: make {name}", path.display());
            }
        }
    }
    assert!(seen > 9, "the workflows were not read: {seen}");
}

#[test]
fn a_workflow_has_only_the_rights_that_it_names_and_uses_actions_of_a_known_version() {
    let expression = Regex::new(r"run:.*\$\{\{ *github\.(event|head_ref)").unwrap();
    let action = Regex::new(r"uses: ([^\s]+)(.*)").unwrap();
    let (commit, tag) = (Regex::new(r"@[0-9a-f]{40}$").unwrap(), Regex::new(r"@v\d+(\.\d+)*$").unwrap());
    for (path, text) in workflows() {
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        assert!(workflow["permissions"].is_object(), "{}: rights for all jobs", path.display());
        assert!(!text.contains("pull_request_target"), "{}: code of strangers with rights of ours", path.display());
        for found in action.captures_iter(&text) {
            let pinned = commit.is_match(&found[1]) && found[2].trim().starts_with("# v");
            assert!(pinned || tag.is_match(&found[1]), "{}: {}", path.display(), &found[0]);
        }
        assert!(!expression.is_match(&text), "{}: what a stranger wrote is run", path.display());
    }
}

#[test]
fn what_looks_after_dependencies_is_read_as_it_is_meant() {
    let renovate: Value = serde_json::from_str(&fs::read_to_string("renovate.json").unwrap()).unwrap();
    let makefile = fs::read_to_string("Makefile").unwrap();
    let pattern = renovate["customManagers"][0]["matchStrings"][0].as_str().unwrap().replace("(?<", "(?P<");
    let found: Vec<_> =
        Regex::new(&pattern).unwrap().captures_iter(&makefile).map(|found| found["depName"].to_owned()).collect();
    assert_eq!(found, ["CARGO_DENY", "MDBOOK", "CYCLONEDX"], "in the order of the Makefile");
    let rules = renovate["packageRules"].as_array().unwrap();
    let files: Vec<_> = rules.iter().filter_map(|rule| rule["matchFileNames"][0].as_str()).collect();
    assert!(files.iter().all(|file| Path::new(file).exists()), "{files:?}");
}

#[test]
fn each_crate_of_the_image_is_named_with_a_text_of_its_licence() {
    let folder = folder("licenses");
    let said = run("release/licenses.sh", &[folder.to_str().unwrap(), "--no-default-features"]);
    assert!(said.is_ok(), "{said:?}");
    let all = fs::read_to_string(folder.join("THIRD-PARTY-LICENSES")).unwrap();
    let (list, texts) = all.split_once("\n==== ").unwrap();
    let named: BTreeSet<&str> =
        list.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next()).collect();
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let (_, needed) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (needed, _) = needed.split_once("\n[").unwrap();
    let needed = needed.lines().filter(|line| !line.contains("optional = true"));
    let needed: Vec<&str> = needed.filter_map(|line| line.split(['.', ' ']).next()).collect();
    let ours = ["domain", "hris", "scim"];
    assert!(needed.len() > 20, "{needed:?}");
    for name in needed.into_iter().filter(|name| !name.is_empty() && !ours.contains(name)) {
        assert!(named.contains(name), "{name} is in the image, and its licence is not");
    }
    let references: Vec<_> = list.lines().filter_map(|line| line.strip_prefix("  texts: ")).collect();
    assert!(references.len() > 200, "{}", references.len());
    for number in references.iter().flat_map(|line| line.split(' ')) {
        let heading = format!("{number} ====\n");
        assert!(texts.starts_with(&heading) || texts.contains(&format!("\n==== {heading}")), "no text {number}");
    }
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(text(&folder.join("LICENSE")), text(Path::new("LICENSE")));
    assert!(text(Path::new("Dockerfile")).contains("COPY ${LICENSES} /licenses\n"), "the image has them");
    fs::remove_dir_all(folder).unwrap();
}
