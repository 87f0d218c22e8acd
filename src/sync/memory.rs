//! The trust gate's memory in a Secret: one object a connection, owned by it and written by sync alone.
//!
//! A Secret, since the key in it is what keeps digests and sketches from being guessed. Writes only what changed.

use std::collections::BTreeMap;

use crate::kube::named::Api;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ObjectMeta, PostParams};
use kube::{Resource, ResourceExt};

use super::Context;
use crate::api::{HRConnection, names};
use crate::kube::calls;
use crate::kube::outcome::Fault;
use domain::trust::Memory;

/// Type of the Secret.
const TYPE: &str = "rollcall.dev/memory";
/// Its one key.
const KEY: &str = "memory";

/// The memory, and the version it was read at.
pub struct StoredMemory {
    /// The memory.
    pub memory: Memory,
    resource_version: Option<String>,
}

/// Reads the memory of a connection, and begins one where there is none.
///
/// A memory that cannot be read, or is of a deleted connection of the same name, is replaced by an empty one: whether that is a loss
/// is the gate's to say, by what the connection's status remembers.
///
/// # Flow          get the Secret; where there is no readable one, write a fresh memory with a random key
/// # Guarantees    the key of a digest that was shown to an admin is the key of the next poll's; a Secret of another
///                 type is never written over
/// # Assumptions   only sync writes it; it may get, create and update Secrets in its own namespace
/// # Errors        transient: asked again; stalled: another Secret has the name
pub async fn load(ctx: &Context, connection: &HRConnection) -> Result<StoredMemory, Fault> {
    let secrets = secrets(ctx);
    let name = name(connection);
    let current = calls::call("read the gate's memory", secrets.get_opt(&name)).await?;
    if current.as_ref().is_some_and(|secret| secret.type_.as_deref() != Some(TYPE)) {
        return Err(Fault::Stalled(format!("Secret {name} is not of type {TYPE}, and its name is needed: remove it")));
    }
    let version = current.as_ref().and_then(ResourceExt::resource_version);
    match current.and_then(|secret| remembered(&secret, connection)) {
        Some(memory) => Ok(StoredMemory { memory, resource_version: version }),
        None => write(&secrets, connection, Memory::fresh(&random()?), version).await,
    }
}

/// Keeps a memory, before the answer it is of is used. Writes nothing where nothing changed.
///
/// # Flow          replace the Secret at the version it was read
/// # Guarantees    of two processes that both think they lead, one keeps its memory and the other gets an error
/// # Assumptions   as for [`load`]
/// # Errors        transient: the whole poll is repeated
pub async fn save(ctx: &Context, connection: &HRConnection, kept: StoredMemory, memory: Memory) -> Result<(), Fault> {
    if kept.memory == memory {
        return Ok(());
    }
    write(&secrets(ctx), connection, memory, kept.resource_version).await?;
    Ok(())
}

async fn write(
    secrets: &Api<Secret>,
    connection: &HRConnection,
    memory: Memory,
    resource_version: Option<String>,
) -> Result<StoredMemory, Fault> {
    let create = resource_version.is_none();
    let secret = manifest(connection, &memory, resource_version)?;
    let params = PostParams { field_manager: Some(super::MANAGER.to_owned()), ..PostParams::default() };
    let written = if create {
        calls::call("create the gate's memory", secrets.create(&params, &secret)).await?
    } else {
        calls::call("keep the gate's memory", secrets.replace(&name(connection), &params, &secret)).await?
    };
    Ok(StoredMemory { memory, resource_version: written.resource_version() })
}

/// The Secret as it is written; a `resource_version` makes the write conditional on it.
fn manifest(connection: &HRConnection, memory: &Memory, resource_version: Option<String>) -> Result<Secret, Fault> {
    let stored = memory.stored().map_err(|_| fault("write the gate's memory", "it cannot be serialized"))?;
    let owner = OwnerReference {
        api_version: HRConnection::api_version(&()).into_owned(),
        kind: HRConnection::kind(&()).into_owned(),
        name: connection.name_any(),
        uid: connection.uid().unwrap_or_default(),
        ..OwnerReference::default()
    };
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(name(connection)),
            labels: Some(BTreeMap::from([(names::PART.to_owned(), KEY.to_owned())])),
            owner_references: Some(vec![owner]),
            resource_version,
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(stored))])),
        ..Secret::default()
    })
}

/// The memory in a Secret, if it is this connection's and can be read.
fn remembered(secret: &Secret, connection: &HRConnection) -> Option<Memory> {
    let uid = connection.uid()?;
    let owned = secret.owner_references().iter().any(|owner| owner.uid == uid);
    let stored = secret.data.as_ref()?.get(KEY)?;
    Memory::parse(&stored.0).filter(|_| owned)
}

fn name(connection: &HRConnection) -> String {
    format!("rollcall-memory-{}", connection.name_any())
}

fn secrets(ctx: &Context) -> Api<Secret> {
    Api::namespaced(ctx.client.clone(), &ctx.namespace)
}

fn random() -> Result<[u8; 32], Fault> {
    let mut key = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut key)
        .map_err(|_| fault("make a key", "the system gives no random bytes"))?;
    Ok(key)
}

fn fault(doing: &'static str, cause: &str) -> Fault {
    Fault::Transient { doing, cause: cause.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::connection::HRConnectionSpec;

    fn connection(uid: &str) -> HRConnection {
        let spec: HRConnectionSpec = serde_json::from_value(serde_json::json!({"source": {}})).expect("a spec");
        let mut connection = HRConnection::new("hq", spec);
        connection.metadata.uid = Some(uid.to_owned());
        connection
    }

    #[test]
    fn a_memory_is_read_back_by_the_connection_that_wrote_it_alone() {
        let memory = Memory::fresh(&[1; 32]);
        let secret = manifest(&connection("one"), &memory, None).expect("a manifest");
        assert_eq!(remembered(&secret, &connection("one")), Some(memory));
        assert_eq!(remembered(&secret, &connection("another of the same name")), None);
    }

    #[test]
    fn a_memory_that_cannot_be_read_is_none() {
        let mut secret = manifest(&connection("one"), &Memory::fresh(&[1; 32]), None).expect("a manifest");
        secret.data = Some(BTreeMap::from([(KEY.to_owned(), ByteString(b"{}".to_vec()))]));
        assert_eq!(remembered(&secret, &connection("one")), None);
    }

    #[test]
    fn keys_differ() {
        assert_ne!(random().ok(), random().ok());
    }
}
