//! Heads of the evidence are signed: a chain that was rewritten as a whole, or cut off, is refused by somebody who trusts one key.

use std::fs;
use std::path::{Path, PathBuf};

use domain::evidence::{self, Head, PublicKey, Record, SigningKey};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use rollcall::api::names;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::waiting::eventually;

/// A folder of the story's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn of(rollcall: &Installation) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-signed", rollcall.namespace));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The key that signs now, in PEM, once there is one that is not `before`.
async fn key(rollcall: &Installation, before: &str) -> String {
    eventually("there is a key", || async {
        let output = rollcall.says(&["evidence", "key"]);
        let key = String::from_utf8(output.stdout).unwrap();
        (output.status.success() && key != before).then_some(key)
    })
    .await
}

/// Waits until the chain in the cluster is signed to its end by this key.
async fn signed(rollcall: &Installation, key: &str) {
    eventually("the head is signed", || async {
        rollcall.says(&["evidence", "verify", "--key", key]).status.success().then_some(())
    })
    .await;
}

/// Rewrites a folder: another approver in each record, all hashes and the head computed again, the signatures as they were.
fn forge(dir: &Path) {
    let mut head = Head::genesis();
    for index in 1.. {
        let path = dir.join(evidence::name(index)).with_extension("json");
        let Ok(text) = fs::read_to_string(&path) else { break };
        let record: Record = serde_json::from_str(&text).unwrap();
        let mut body = record.body;
        body.approver = Some("nobody@example.com".into());
        let sealed = evidence::chain(&head, body).unwrap();
        fs::write(&path, sealed.text).unwrap();
        head = sealed.head;
    }
    fs::write(dir.join(names::EVIDENCE_HEAD).with_extension("json"), serde_json::to_string(&head).unwrap()).unwrap();
}

#[tokio::test]
async fn a_chain_that_was_rewritten_or_cut_off_is_refused_and_a_key_that_the_old_one_signed_is_trusted() {
    let policy = json!({"limits": {"people": a_day(10)}});
    let (rollcall, running, staff) = Installation::with_seven("signed", Consent::Accounts, policy).await;
    let dir = Folder::of(&rollcall);
    let first = key(&rollcall, "").await;
    let first_file = dir.file("first.pem", &first);
    let other = SigningKey::from_pem(&SigningKey::pem_of(&[7; 32])).unwrap();
    let wrong_file = dir.file("wrong.pem", &other.public().to_pem());
    rollcall.seven_leaves(&staff).await;
    signed(&rollcall, &first_file).await;
    only_control_reads_the_key(&rollcall).await;

    let out = dir.path("out");
    rollcall.succeeds(&["evidence", "export", "--dir", &out]);
    let checked = rollcall.succeeds(&["evidence", "verify", "--dir", &out, "--key", &first_file]);
    assert!(checked.contains("1 record verifies") && checked.contains("Signed up to record 1 by key"), "{checked}");
    let said = rollcall.fails(&["evidence", "verify", "--dir", &out, "--key", &wrong_file]);
    assert!(said.contains("neither is the given key nor was signed by it"), "{said}");

    // Another key takes over, signed by the first.
    let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    let next = json!({"stringData": {names::NEXT_PEM: SigningKey::pem_of(&[8; 32])}});
    secrets.patch(names::EVIDENCE_KEY, &PatchParams::default(), &Patch::Merge(&next)).await.unwrap();
    drop(running);
    let running = rollcall.run().await;
    let second = key(&rollcall, &first).await;
    assert_eq!(
        PublicKey::from_pem(&second),
        Some(SigningKey::from_pem(&SigningKey::pem_of(&[8; 32])).unwrap().public())
    );
    let second_file = dir.file("second.pem", &second);
    signed(&rollcall, &second_file).await;
    let held = secrets.get(names::EVIDENCE_KEY).await.unwrap().data.unwrap();
    assert_eq!(held.keys().collect::<Vec<_>>(), [names::KEY_PEM], "the old key is gone");
    let staff = staff.person("7").terminated().person("6").terminated();
    rollcall.learn(&staff).await;
    rollcall.reaches("6", Operation::Cut, Phase::Revoked).await;
    rollcall.succeeds(&["evidence", "export", "--dir", &out]);
    for file in [&first_file, &second_file] {
        rollcall.succeeds(&["evidence", "verify", "--dir", &out, "--key", file]);
    }

    tampered(&rollcall, &dir, &first_file);
    lost(&rollcall, &secrets, running, &staff, &second_file).await;
}

/// What somebody who can write the folder may do, and whether it is seen.
fn tampered(rollcall: &Installation, dir: &Folder, key: &str) {
    let copy = |name: &str| {
        let to = dir.0.join(name);
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(dir.0.join("out")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
        to
    };
    let signed_heads = |dir: &Path| {
        let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut heads: Vec<_> =
            all.filter(|path| path.to_string_lossy().contains(names::EVIDENCE_CHECKPOINT)).collect();
        heads.sort();
        heads
    };
    let verify = |dir: &Path, more: &[&str]| {
        let path = dir.to_string_lossy().into_owned();
        rollcall.fails(&[&["evidence", "verify", "--dir", &path], more].concat())
    };
    let forged = copy("forged");
    forge(&forged);
    let said = verify(&forged, &["--key", key]);
    assert!(said.contains("the chain up to there was rewritten"), "{said}");

    // Cut off, with the signed heads behind it: only one that was kept elsewhere shows it.
    let cut = copy("cut");
    let kept = signed_heads(&dir.0.join("out")).pop().unwrap();
    for path in signed_heads(&cut).iter().filter(|path| path.to_string_lossy().contains("00000002")) {
        fs::remove_file(path).unwrap();
    }
    fs::remove_file(cut.join(evidence::name(2)).with_extension("json")).unwrap();
    fs::remove_file(cut.join(names::EVIDENCE_HEAD).with_extension("json")).unwrap();
    let path = cut.to_string_lossy().into_owned();
    rollcall.succeeds(&["evidence", "verify", "--dir", &path, "--key", key]);
    let said = verify(&cut, &["--key", key, "--checkpoint", &kept.to_string_lossy()]);
    assert!(said.contains("the chain ends at record 1"), "{said}");
}

/// A lost key holds nothing up, and is said.
async fn lost(
    rollcall: &Installation,
    secrets: &Api<Secret>,
    running: crate::support::installation::Running,
    staff: &crate::support::people::People,
    key: &str,
) {
    secrets.delete(names::EVIDENCE_KEY, &DeleteParams::default()).await.unwrap();
    drop(running);
    let _running = rollcall.run().await;
    rollcall.learn(&staff.clone().person("5").terminated()).await;
    rollcall.reaches("5", Operation::Cut, Phase::Revoked).await;
    let said = rollcall.succeeds(&["evidence", "verify"]);
    assert!(said.contains("Records 3 to 3 are not signed: is the key lost?"), "{said}");
    let said = rollcall.fails(&["evidence", "verify", "--key", key]);
    assert!(said.contains("records 3 to 3 are not signed"), "{said}");
}

async fn only_control_reads_the_key(rollcall: &Installation) {
    for (command, allowed) in [("control", true), ("sync", false), ("revoke", false)] {
        let client = rollcall.cluster.acting_as(&rollcall.identity(command), &["system:authenticated"]).await;
        let secrets: Api<Secret> = Api::namespaced(client, &rollcall.revoker_namespace());
        let read = secrets.get(names::EVIDENCE_KEY).await;
        assert_eq!(read.is_ok(), allowed, "{command}");
        assert!(allowed || matches!(read, Err(kube::Error::Api(status)) if status.code == 403), "{command}");
    }
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let secrets: Api<Secret> = Api::namespaced(control, &rollcall.revoker_namespace());
    assert!(secrets.list(&Default::default()).await.is_err(), "nor any other");
    let token = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token",
        "annotations": {"kubernetes.io/service-account.name": format!("{}-revoke", rollcall.release)}},
        "type": "kubernetes.io/service-account-token"});
    let token: Secret = serde_json::from_value(token).unwrap();
    assert!(secrets.create(&Default::default(), &token).await.is_err(), "and makes no account's token");
}
