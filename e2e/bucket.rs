//! Evidence goes into a bucket of a real S3 server, locked, and nobody writes over it or takes it away.

use std::fs;
use std::path::PathBuf;

use domain::evidence::{self, HEAD_SIGNED, Head, KEYS, KeyEntry, Keys, SignedHead, SigningKey};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams, PostParams};
use reqwest::Method;
use rollcall::api::names;
use serde_json::json;

use crate::pruning::sealed_long_ago;
use crate::support::chart::apply;
use crate::support::installation::Installation;
use crate::support::objects::object;
use crate::support::s3::S3;
use crate::support::waiting::eventually;

/// Exports into a bucket; gives what was said, good or bad.
fn export(rollcall: &Installation, s3: &S3, url: &str, more: &[&str]) -> Result<String, String> {
    let arguments = [&["evidence", "export", "--s3", url], more].concat();
    let output = rollcall.says_with(&s3.environment(), &arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Signs the head, as control would.
async fn sign(rollcall: &Installation, head: &Head, key: &SigningKey) {
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(control, &rollcall.namespace);
    let at = Timestamp::now();
    let entry = KeyEntry::new("home", &key.public(), &Head::genesis(), at);
    let keys = Keys { installation: "home".into(), keys: vec![entry] };
    let keys = object(json!({"metadata": {"name": names::EVIDENCE_KEYS}, "data": {KEYS: keys.text().unwrap()}}));
    maps.create(&PostParams::default(), &keys).await.unwrap();
    let signed = SignedHead::sign(head, "home", key, at).unwrap().text().unwrap();
    let patch = Patch::Merge(json!({"data": {HEAD_SIGNED: signed}}));
    maps.patch(names::EVIDENCE_HEAD, &PatchParams::default(), &patch).await.unwrap();
}

async fn make_bucket(s3: &S3, name: &str, lock: bool) {
    let lock = lock.then(|| ("x-amz-bucket-object-lock-enabled", "true".to_owned()));
    let made = s3.ask(Method::PUT, &format!("/{name}"), lock.into_iter().collect(), "").await;
    assert_eq!(made.code, 200, "{}", made.text);
}

#[tokio::test]
async fn evidence_is_locked_in_a_bucket_verifies_from_there_and_is_never_written_over() {
    let rollcall = Installation::new("bucket", &[]).await;
    let heads = sealed_long_ago(&rollcall, 3).await;
    let key = SigningKey::from_pem(&SigningKey::pem_of(&[5; 32])).unwrap();
    sign(&rollcall, &heads[3], &key).await;
    let s3 = S3::start("bucket").await;
    make_bucket(&s3, "audit", true).await;
    let url = format!("{}/rollcall", s3.url("audit"));

    let said = export(&rollcall, &s3, &url, &["--retain", "2d"]).unwrap();
    assert!(said.contains("3 records in") && said.contains("3 of them new"), "{said}");
    let said = export(&rollcall, &s3, &url, &["--retain", "2d"]).unwrap();
    assert!(said.contains("0 of them new"), "{said}");

    let path = |name: &str| format!("/audit/rollcall/{name}.json");
    let first = path(&evidence::name(1));
    let found = s3.ask(Method::HEAD, &first, Vec::new(), "").await;
    assert_eq!(found.headers.get("x-amz-object-lock-mode").map(String::as_str), Some("COMPLIANCE"));
    let until: Timestamp = found.headers["x-amz-object-lock-retain-until-date"].parse().unwrap();
    assert!(until > Timestamp::now() + jiff::SignedDuration::from_hours(47), "{until}");
    for (method, body) in [(Method::DELETE, ""), (Method::PUT, "forged")] {
        let answer = s3.ask(method.clone(), &first, Vec::new(), body).await;
        assert_eq!(answer.code, 403, "{method}: {}", answer.text);
    }

    // What is in the bucket verifies without the cluster.
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-bucket", rollcall.namespace));
    fs::create_dir_all(&dir).unwrap();
    let signed = SignedHead::sign(&heads[3], "home", &key, Timestamp::now()).unwrap().place();
    let names = (1..=3).map(evidence::name);
    let names =
        names.chain([format!("{}-{signed}", names::EVIDENCE_CHECKPOINT), format!("{}-0001", names::EVIDENCE_KEYS)]);
    for name in names {
        let answer = s3.ask(Method::GET, &path(&name), Vec::new(), "").await;
        assert_eq!(answer.code, 200, "{name}: {}", answer.text);
        fs::write(dir.join(name).with_extension("json"), answer.text).unwrap();
    }
    let (out, pem) = (dir.to_string_lossy().into_owned(), dir.join("key.pem"));
    fs::write(&pem, key.public().to_pem()).unwrap();
    let said = rollcall.succeeds(&["evidence", "verify", "--dir", &out, "--key", &pem.to_string_lossy()]);
    assert!(said.contains("3 records verify"), "{said}");
    fs::remove_dir_all(dir).unwrap();

    other_buckets(&rollcall, &s3, &url).await;
    by_the_example(&rollcall, &s3, &url).await;
}

/// Another chain, a longer one, a server that does not lock, and wrong credentials: nothing is written, and the cause is named.
async fn other_buckets(rollcall: &Installation, s3: &S3, url: &str) {
    let put = async |name: &str, text: &str| {
        let answer = s3.ask(Method::PUT, &format!("/audit/{name}.json"), Vec::new(), text).await;
        assert_eq!(answer.code, 200, "{}", answer.text);
    };
    for index in 1..=2 {
        put(&format!("other/{}", evidence::name(index)), "of another chain").await;
    }
    let said = export(rollcall, s3, &format!("{}/other", s3.url("audit")), &[]).unwrap_err();
    assert!(said.contains("is another one than in the cluster"), "{said}");
    put(&format!("longer/{}", evidence::name(4)), "later").await;
    let said = export(rollcall, s3, &format!("{}/longer", s3.url("audit")), &[]).unwrap_err();
    assert!(said.contains("the chain is shorter than when it was exported"), "{said}");
    let nothing = s3.ask(Method::HEAD, &format!("/audit/longer/{}.json", evidence::name(1)), Vec::new(), "").await;
    assert_eq!(nothing.code, 404);

    make_bucket(s3, "plain", false).await;
    let said = export(rollcall, s3, &format!("{}/locked", s3.url("plain")), &[]).unwrap_err();
    assert!(said.contains("does not say that it is locked") || said.contains("InvalidRequest"), "{said}");
    let said = export(rollcall, s3, &format!("{}/unlocked", s3.url("plain")), &["--lock", "none"]).unwrap();
    assert!(said.contains("3 of them new"), "{said}");

    let wrong = [("AWS_ACCESS_KEY_ID", "rollcall"), ("AWS_SECRET_ACCESS_KEY", "wrong-secret")];
    let output = rollcall.says_with(&wrong, &["evidence", "export", "--s3", url]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("403") && !said.contains("wrong-secret"), "{said}");
    let output = rollcall.says(&["evidence", "export", "--s3", url]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("AWS_ACCESS_KEY_ID is not set"));
}

/// The example's CronJob does it under an account that may only read.
async fn by_the_example(rollcall: &Installation, s3: &S3, url: &str) {
    let text = fs::read_to_string("examples/evidence-export.yaml").unwrap();
    let text = text.replace("name: rollcall-viewer", &format!("name: {}-viewer", rollcall.release));
    let text = text.replace("name: rollcall-archive", &format!("name: {}", rollcall.target("archive")));
    let text = text.replace("namespace: rollcall-archive", &format!("namespace: {}", rollcall.target("archive")));
    apply(rollcall.cluster, &text.replace("namespace: rollcall\n", &format!("namespace: {}\n", rollcall.namespace)));
    let jobs: Api<CronJob> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("archive"));
    let pod =
        jobs.get("evidence-export").await.unwrap().spec.unwrap().job_template.spec.unwrap().template.spec.unwrap();
    let arguments = pod.containers[0].args.clone().unwrap();
    let account = format!("system:serviceaccount:{}:{}", rollcall.target("archive"), pod.service_account_name.unwrap());
    let here = |argument: &String| match argument.strip_prefix("--s3=") {
        Some(_) => format!("--s3={url}"),
        None => argument.replace("eu-central-1", "us-east-1"),
    };
    let mut arguments: Vec<String> = arguments.iter().map(here).collect();
    arguments.extend(["--as".to_owned(), account]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    eventually("the account is bound", || async {
        rollcall.says_with(&s3.environment(), &arguments).status.success().then_some(())
    })
    .await;
}
