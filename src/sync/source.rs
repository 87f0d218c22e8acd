//! From the spec of a connection to what can be read: credentials and ConfigMaps are fetched here, and nowhere else.
//!
//! What the fetched objects and the spec come to together is `resolve`'s, which needs no cluster.

mod definition;
mod fingerprint;
mod network;
mod resolve;
mod token_store;

use std::sync::Arc;
use std::time::Instant;

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;

pub use self::definition::named_definition;
pub use self::fingerprint::fingerprint;
pub use self::network::network;
pub use self::resolve::{Objects, csv_format, directory, named, pushed_definition, resolve};
pub use self::token_store::{Rotations, SecretKeeper};
use super::Context;
use crate::api::HRConnection;
use crate::api::connection::HRConnectionSpec;
use crate::kube::calls;
use crate::kube::outcome::Fault;
use domain::employee::Failure;
use domain::needs::Needs;

/// Said of a connection before its first push.
const NOTHING_PUSHED: &str = "a user pushed by the identity provider, which has sent none yet";

/// What a connection's people can be read from.
pub struct Opened {
    /// Which source it is, see [`fingerprint`].
    pub fingerprint: String,
    /// What it is reached by.
    pub network: hris::Network,
    /// The source, or why there is nothing to read.
    pub source: Result<hris::Source, Failure>,
}

/// Finds out what a connection's people can be read from. What nobody needs is left out of what is asked for.
///
/// # Errors
/// A fault when it could not even be tried: the spec, a Secret, the API server.
pub async fn open(ctx: &Context, connection: &HRConnection, needs: &Needs) -> Result<Opened, Fault> {
    let spec = &connection.spec;
    let objects = fetch(ctx, spec).await?;
    let network = network(spec, &objects)?;
    let mut source = resolve(spec, objects)?;
    let definition = match &source {
        Ok(hris::Source::Api(source)) => Some(&source.definition),
        Ok(hris::Source::Ldap(source)) => Some(&source.mapping.definition),
        _ => None,
    };
    let fingerprint = fingerprint(&spec.source, definition);
    if let (Ok(hris::Source::Api(source)), Some(words)) = (&mut source, &spec.source.api) {
        let secrets = Api::namespaced(ctx.client.clone(), &ctx.namespace);
        let token_store = SecretKeeper::new(secrets, &words.credentials_ref.name, &ctx.rotations);
        source.token_store = Some(Arc::new(token_store));
        source.clock = ctx.clock;
    }
    if let (Ok(hris::Source::Pushed(source)), Some(scim)) = (&mut source, &spec.source.scim) {
        let first = connection.status.as_ref().is_none_or(|status| status.last_trusted.is_none());
        match ctx.pushed.page(connection, scim.employee_id)? {
            Some(page) => {
                if first {
                    ctx.pushed.settled(&connection.name_any(), Instant::now())?;
                }
                source.page = page;
            }
            // Once there was somebody, nobody is an answer, which the trust gate holds.
            None if !first => {}
            None => {
                return Ok(Opened { fingerprint, network, source: Err(Failure::Missing(NOTHING_PUSHED.to_owned())) });
            }
        }
    }
    if let Ok(source) = &mut source {
        source.keep_to(needs);
        hris::check(source).map_err(Fault::Stalled)?;
    }
    Ok(Opened { fingerprint, network, source })
}

/// Everything the spec names that is there.
async fn fetch(ctx: &Context, spec: &HRConnectionSpec) -> Result<Objects, Fault> {
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &ctx.namespace);
    let config_maps = Api::<ConfigMap>::namespaced(ctx.client.clone(), &ctx.namespace);
    let (mut found, named) = (Objects::default(), named(spec));
    for name in named.secrets {
        if let Some(secret) = calls::call("read the credentials", secrets.get_opt(name)).await? {
            found.secrets.insert(name.to_owned(), secret);
        }
    }
    for name in named.config_maps {
        if let Some(config_map) = calls::call("read the file", config_maps.get_opt(name)).await? {
            found.config_maps.insert(name.to_owned(), config_map);
        }
    }
    Ok(found)
}
