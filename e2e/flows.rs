//! A busy API server takes Rollcall's Leases and revocations first: which of its requests are of which flow.

use axum::http::Request;
use k8s_openapi::api::flowcontrol::v1::FlowSchema;
use kube::api::Api;
use kube::client::Body;

use crate::policies::guarded;
use crate::support::installation::Consent;

#[tokio::test]
async fn leases_and_revocations_go_before_the_work_of_other_accounts_and_a_first_sync_does_not() {
    let rollcall = guarded("flows", &[("apps", Consent::Accounts)]).await;
    let (people, apps) = (&rollcall.namespace, rollcall.target("apps"));
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{people}/leases/{}", rollcall.release);
    let persons = format!("/apis/rollcall.dev/v1alpha1/namespaces/{people}/people");
    let account = format!("/api/v1/namespaces/{apps}/serviceaccounts/default");
    let flows: Api<FlowSchema> = Api::all(rollcall.admin.clone());
    for (who, what, path, expected) in [
        ("sync", "its Lease", &lease, Some("leases")),
        ("control", "its Lease", &lease, Some("leases")),
        ("control", "Persons", &persons, Some("revoking")),
        ("revoke", "an account", &account, Some("revoking")),
        ("sync", "Persons", &persons, None),
    ] {
        let client = rollcall.cluster.acting_as(&rollcall.identity(who), &["system:authenticated"]).await;
        let answer = client.send(Request::get(path.as_str()).body(Body::empty()).unwrap()).await.unwrap();
        let uid = answer.headers()["x-kubernetes-pf-flowschema-uid"].to_str().unwrap();
        let named = match expected {
            Some(flow) => flows.get(&format!("{}-{flow}", rollcall.release)).await.unwrap(),
            None => flows.get("global-default").await.unwrap(), // a real ServiceAccount has the group of service-accounts too
        };
        assert_eq!(named.metadata.uid.as_deref(), Some(uid), "{who} asks for {what}");
        let level = named.spec.unwrap().priority_level_configuration.name;
        assert_eq!(level == "workload-high" || level == "leader-election", expected.is_some(), "{who}: {level}");
    }
}
