//! `rollcall preview`, as somebody runs it before anything is installed: the binary, manifests, a source, no cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::files::FileServer;
use crate::support::process::{Process, rollcall};

const PEOPLE: &str = "employeeId,fullName,email,status,department\n\
    7,Ada Example,ada@example.com,active,Engineering\n\
    8,Bo Example,bo@example.com,terminated,Sales\n\
    9,Cy Example,cy@example.com,active,Sales\n\
    ,Di Example,di@example.com,active,Sales\n";

/// A folder of manifests that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rollcall-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn connection(url: &str, trust: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: HRConnection\nmetadata: {{name: hq, namespace: rollcall}}\nspec:\n  \
         source: {{file: {{from: {{http: {{url: \"{url}\", credentialsRef: {{name: hr}}}}}}}}}}\n  \
         network: {{allowPrivateAddresses: true}}\n  trust: {{{trust}}}\n"
    )
}

const POLICY: &str = "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {name: all}\nspec:\n  \
    connections: [{name: hq}]\n  timeZones: {default: Europe/Madrid}\n  \
    identity: {usernames: [\"'oidc:' + person.workEmail\"]}\n  \
    scope: {include: {departments: [engineering]}}\n";

async fn preview(files: &[&Path], arguments: &[&str]) -> Output {
    let mut command = rollcall();
    command.arg("preview").env("ROLLCALL_CREDENTIAL_TOKEN", "s3cret");
    command.args(files.iter().flat_map(|file| [Path::new("-f"), *file]));
    command.args(arguments);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap() // the source is served meanwhile
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_preview_says_who_is_seen_who_is_in_scope_and_what_was_set_aside() {
    let files = FileServer::serving(PEOPLE.to_owned()).await;
    let folder = Folder::new("preview-fine");
    let hq = folder.put("hq.yaml", &format!("{}---\n{POLICY}", connection(&files.url, "maxBadRecords: 50%")));
    let (code, out, err) = said(&preview(&[&hq], &["--output", "json"]).await);
    assert_eq!(code, Some(0), "{out}{err}");
    let view: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(view["trust"], "believable");
    assert_eq!(view["included"], 1);
    assert_eq!(view["excluded"]["departmentNotIncluded"], 2);
    assert_eq!(view["setAside"][0]["position"], 5);
    assert_eq!(view["setAside"][0]["reason"], "employeeId is empty");
    let states: Vec<_> = view["people"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["Active", "Terminated", "Active"]);
    assert_eq!(view["capabilities"]["leavers"], "Yes");

    let (code, table, _) = said(&preview(&[&hq], &[]).await);
    assert_eq!(code, Some(0));
    assert!(table.contains("a…@example.com") && !table.contains("ada@"), "{table}");
    let (_, table, _) = said(&preview(&[&hq], &["--unmask", "--output", "csv", "--only", "excluded"]).await);
    assert!(table.contains("oidc:bo@example.com") && !table.contains("ada@"), "{table}");
}

#[tokio::test]
async fn the_exit_code_tells_a_pipeline_what_is_wrong() {
    let files = FileServer::serving(PEOPLE.to_owned()).await;
    let folder = Folder::new("preview-codes");
    let fine = folder.put("fine.yaml", &connection(&files.url, "maxBadRecords: 50%"));
    let held =
        folder.put("held.yaml", &connection(&files.url, "sentinels: {departed: [\"1042\"]}, maxBadRecords: 50%"));
    let broken = folder.put("broken.yaml", "kind: HRConnection\nspec:\n  source: {file: 7}\n");
    let wrong = folder.put("wrong.yaml", &connection(&files.url, "maxShrink: many"));
    let other = folder.put("other.yaml", &POLICY.replace("name: hq", "name: elsewhere"));
    for (manifests, arguments, expected, words) in [
        (vec![fine.as_path()], vec![], 0, ""),
        (vec![&held], vec![], 3, "1042"),
        (vec![&broken], vec![], 2, "broken.yaml: line 3"),
        (vec![&wrong], vec![], 2, "spec.trust.maxShrink"),
        (vec![&fine, &other], vec![], 2, "names elsewhere, not HRConnection hq"),
        (vec![&fine, &fine], vec![], 2, "several of the kind HRConnection (hq, hq)"),
        (vec![folder.0.as_path()], vec![], 2, "broken.yaml: line 3"),
        (vec![&fine], vec!["--credentials-file", "/nowhere/at/all"], 2, "/nowhere/at/all"),
        (vec![&fine], vec!["--output", "xml"], 2, "xml"),
    ] {
        let (code, out, err) = said(&preview(&manifests, &arguments).await);
        assert_eq!(code, Some(expected), "{manifests:?} {arguments:?}: {out}{err}");
        assert!(err.contains(words), "{manifests:?}: {err}");
        assert!(!format!("{out}{err}").contains("s3cret"));
    }
    files.answers(401, "text/plain", "no");
    let (code, _, err) = said(&preview(&[&fine], &[]).await);
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains("refused the credential"), "{err}");
}

#[tokio::test]
async fn a_refresh_token_that_is_used_once_is_kept_in_the_file_it_came_from_or_not_used() {
    let folder = Folder::new("preview-rotate");
    let mut fake = rollcall();
    fake.args(["fake-hr", "--like", "gusto", "--people", "20", "--listen", "127.0.0.1:0", "--quiet", "--write"]);
    let (_played, _) = Process::ready(fake.arg(&folder.0)); // and it has written
    let all = fs::read_to_string(folder.0.join("manifest.yaml")).unwrap();
    let mut others: Vec<&str> = all.split("\n---\n").collect();
    let secret = others.iter().position(|one| one.contains("kind: Secret")).unwrap();
    let secret: serde_json::Value = serde_saphyr::from_str(others.remove(secret)).unwrap();
    let manifest = folder.put("without.yaml", &others.join("\n---\n"));
    let keys = folder.put("keys.yaml", &secret["stringData"].to_string());
    let kept = || serde_saphyr::from_str::<serde_json::Value>(&fs::read_to_string(&keys).unwrap()).unwrap();
    let first = kept();

    let given = ["--credentials-file", keys.to_str().unwrap()];
    let (code, _, err) = said(&preview(&[&manifest], &given).await);
    assert_eq!((code, kept()), (Some(2), first.clone()), "{err}");
    assert!(err.contains("--rotate"), "{err}");
    let mut before = first;
    for _ in 0..2 {
        let (code, _, err) = said(&preview(&[&manifest], &[given.as_slice(), &["--rotate"]].concat()).await);
        assert_eq!(code, Some(0), "{err}");
        assert_ne!(kept()["refreshToken"], before["refreshToken"]);
        before = kept();
    }
    let (code, _, err) =
        said(&preview(&[&folder.0.join("manifest.yaml")], &[given.as_slice(), &["--rotate"]].concat()).await);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("is in the manifests"), "{err}");
}

#[tokio::test]
async fn the_example_and_a_file_on_this_machine_are_read_without_anything_else() {
    let example = Path::new("examples/hrconnection-csv.yaml");
    let policy = Path::new("examples/syncpolicy.yaml");
    let (code, out, err) = said(&preview(&[example, policy], &["--output", "json"]).await);
    assert_eq!(code, Some(0), "{err}");
    let view: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(view["people"].as_array().unwrap().len(), 10);
    assert_eq!(view["people"][5]["state"], "Leave");

    let folder = Folder::new("preview-file");
    let own = "Employee ID,Full name,Work email,Status,Hire date,Termination date,Department,Job title,Location,Manager email\n\
               1,Ada Example,ada@example.com,employed,2020-01-01,,,,,\n";
    let own = folder.put("own.csv", own);
    let (code, out, err) = said(&preview(&[example], &["--file", own.to_str().unwrap(), "--output", "json"]).await);
    assert_eq!(code, Some(0), "{err}");
    let view: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(view["people"].as_array().unwrap().len(), 1);
}
