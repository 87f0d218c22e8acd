//! `rollcall suspend` and `resume`: an HR system is not read for a while, such as during its migration.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;

use super::cluster::Cluster;
use super::leave_now;
use super::terminal::{plain, reason, say};
use super::write::write_over;
use super::{Failure, ask};
use crate::api::HRConnection;
use crate::kube::calls;
use crate::kube::named::Api;

/// How long it stands by itself: nobody forgets a pause for longer.
const STANDS: SignedDuration = SignedDuration::from_hours(24);

/// Options of `rollcall suspend`.
#[derive(Debug, Args)]
pub struct Suspend {
    /// Name of the HRConnection
    connection: String,
    /// The reason; shown in conditions
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// When it is read again, such as 2026-04-30T00:00:00Z; without it, in 24 hours
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Name of the HRConnection
    connection: String,
    #[command(flatten)]
    cluster: Cluster,
}

/// Suspends a connection. Last days that are known take effect meanwhile.
///
/// # Flow          read, write
/// # Guarantees    nothing is written over a connection whose spec changed meanwhile
/// # Assumptions   no pipeline applies the connection with another `suspend`
/// # Errors        whatever the API server says, in its words
pub async fn suspend(options: &Suspend) -> Result<(), Failure> {
    let until = leave_now::until(options.until, calls::now(), STANDS).map_err(Failure::Refused)?;
    let (api, connection) = connection(&options.cluster, &options.connection).await?;
    let spec = json!({"suspend": {"reason": options.reason, "until": until}});
    write_over(&api, &connection, "suspend the HRConnection", &spec, |_| true).await?;
    say(&format!(
        "{} is not read until {until}. Last days that are known take effect. {}",
        options.connection,
        applied(&connection)
    ));
    Ok(())
}

/// Lets a connection be read again.
///
/// # Flow          read, write
/// # Guarantees    as [`suspend`]
/// # Errors        it is not suspended; whatever the API server says, in its words
pub async fn resume(options: &Resume) -> Result<(), Failure> {
    let (api, connection) = connection(&options.cluster, &options.connection).await?;
    let Some(suspended) = &connection.spec.suspend else {
        return Err(Failure::Refused(format!("{} is not suspended", options.connection)));
    };
    say(&format!("{} was suspended: {}", options.connection, plain(&suspended.reason)));
    write_over(&api, &connection, "resume the HRConnection", &json!({"suspend": null}), |_| true).await?;
    say(&format!("{} is read again. {}", options.connection, applied(&connection)));
    Ok(())
}

async fn connection(cluster: &Cluster, name: &str) -> Result<(Api<HRConnection>, HRConnection), Failure> {
    let api: Api<HRConnection> = Api::namespaced(cluster.client().await?, cluster.namespace());
    let connection = ask("read the HRConnection", api.get(name)).await?;
    Ok((api, connection))
}

/// Who else writes the spec, and may take this back: field managers that apply it.
fn applied(connection: &HRConnection) -> String {
    let writes = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        entry.operation.as_deref() == Some("Apply") && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let names: Vec<_> = connection
        .managed_fields()
        .iter()
        .filter(writes)
        .filter_map(|entry| entry.manager.as_deref())
        .filter(|manager| *manager != "kubectl")
        .map(plain)
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!("It is applied by {}: change it there too, or it is taken back.", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_applies_the_connection_is_said() {
        let of = |fields: serde_json::Value| -> HRConnection {
            serde_json::from_value(json!({
                "metadata": {"name": "hq", "managedFields": fields},
                "spec": {"source": {"file": {"from": {"configMap": {"name": "staff", "key": "staff.csv"}}, "csv": {"columns": {}}}}},
            }))
            .unwrap()
        };
        let argo =
            json!([{"manager": "argocd-controller", "operation": "Apply", "apiVersion": "rollcall.dev/v1alpha1"}]);
        assert!(applied(&of(argo)).contains("argocd-controller"));
        let ours = json!([
            {"manager": "rollcall-sync", "operation": "Apply", "subresource": "status", "apiVersion": "rollcall.dev/v1alpha1"},
            {"manager": "kubectl", "operation": "Apply", "apiVersion": "rollcall.dev/v1alpha1"},
        ]);
        assert_eq!(applied(&of(ours)), "");
    }
}
