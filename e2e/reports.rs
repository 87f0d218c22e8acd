//! What an auditor is handed: who left and what became of their access, and who owns what.

use std::fs;
use std::path::PathBuf;

use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::waiting::eventually;

/// The rows of a report about everybody who ever left.
fn rows(rollcall: &Installation, arguments: &[&str]) -> Vec<Value> {
    let text = rollcall.succeeds(&[&["report"], arguments, &["--from", "2000-01-01", "-o", "json"]].concat());
    let report: Value = serde_json::from_str(&text).unwrap();
    report["rows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn leavers_and_what_is_owned_are_reported_from_the_cluster_and_leavers_from_a_folder() {
    let policy = json!({"limits": {"people": a_day(10)}, "protected": {"people": ["9"]}});
    let (rollcall, _running, staff) = Installation::with_seven("reports", Consent::Accounts, policy).await;
    rollcall.account_of("9", "apps", "nine").await;
    rollcall.account_of("8", "apps", "eight").await;
    rollcall.bind_users("apps", "team", &[rollcall.user("7"), rollcall.user("8")]).await;
    rollcall.learn(&staff.person("6").terminated().person("7").terminated().person("9").terminated()).await;
    for id in ["6", "7"] {
        rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
    }
    rollcall.waits_for("9", "Protected").await;

    let found = eventually("all of them are reported", || async {
        let found = rows(&rollcall, &["leavers"]);
        (found.len() == 3 && found.iter().all(|row| row["evidence"][0].is_string())).then_some(found)
    })
    .await;
    let of = |id: &str| {
        found.iter().find(|row| row["records"][0] == json!(format!("{}/{id}", rollcall.connection))).unwrap()
    };
    assert_eq!(
        [of("6"), of("7"), of("9")].map(|row| row["outcome"].clone()),
        ["NothingToRevoke", "Revoked", "Held: Protected"]
    );
    let seven = of("7");
    assert!(seven["verifiedAfter"].as_i64().is_some(), "{seven}");
    assert!(seven["revoked"][0].as_str().unwrap().contains("ServiceAccount"), "{seven}");
    let shared = seven["remaining"].as_array().unwrap().iter().any(|one| one["why"] == "SharedBinding");
    assert!(shared, "{seven}");
    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains(&rollcall.address("7")), "no address: {text}");

    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-reports", rollcall.namespace));
    let out = dir.to_string_lossy().into_owned();
    rollcall.succeeds(&["evidence", "export", "--dir", &out]);
    let offline = rows(&rollcall, &["leavers", "--dir", &out]);
    fs::remove_dir_all(dir).unwrap();
    let mut told: Vec<_> = offline.iter().map(|row| (row["person"].clone(), row["outcome"].clone())).collect();
    let mut here: Vec<_> = found.iter().map(|row| (row["person"].clone(), row["outcome"].clone())).collect();
    told.sort_by_key(|row| row.0.to_string());
    here.sort_by_key(|row| row.0.to_string());
    assert_eq!(told, here, "the folder tells the same");

    let review = rows(&rollcall, &["access-review"]);
    let of = |id: &str, what: &str| {
        let record = json!(format!("{}/{id}", rollcall.connection));
        let row = review.iter().find(|row| row["records"][0] == record && row["owns"].as_str().unwrap().contains(what));
        row.map(|row| row["finding"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("9", "/nine").as_deref(), Some("HasLeft"), "protected, and still theirs");
    assert_eq!(of("8", "/eight").as_deref(), Some(""));
    assert_eq!(of("8", "/team").as_deref(), Some(""));
    assert_eq!(of("1", "").as_deref(), Some(""), "who owns nothing is listed too");
    let page = rollcall.succeeds(&["report", "access-review", "-o", "html"]);
    assert!(page.starts_with("<!doctype html>") && page.contains("HasLeft"), "{page}");
}
