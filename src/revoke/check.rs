//! The empty Job: reads the global stop, and ends. That it ended says that the image, the namespace, its policies and
//! quotas, the nodes and the way to the API server let the revoker run.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::Api;

use crate::api::names;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;

/// Reads the global stop. Whether one is set does not matter.
///
/// # Errors
/// When it cannot be read.
pub async fn check(client: Client, namespace: &str) -> Result<(), Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    call("read the global stop", api.get_opt(names::STOP)).await?;
    tracing::info!("the revoker can run");
    Ok(())
}
