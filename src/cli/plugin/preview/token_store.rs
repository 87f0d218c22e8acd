//! Keeps refresh tokens that are another one after each use in the file of credentials they came from.
//!
//! The token in use is the only one there is, so the file is written first, with nothing changed: where it cannot be
//! written, nothing is asked. Two previews at once would use the same token.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use hris::{RefreshTokenStore, TokenLease};

/// Keys and their values.
pub type Keys = BTreeMap<String, String>;

/// A file of credentials that may be written.
pub struct FileKeeper {
    path: PathBuf,
    lent: Arc<Mutex<()>>,
}

impl FileKeeper {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), lent: Arc::default() }
    }
}

impl RefreshTokenStore for FileKeeper {
    fn lend<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<TokenLease, String>> {
        Box::pin(async move {
            let place = Box::new(Arc::clone(&self.lent).lock_owned().await);
            let mut keys = read(&self.path)?;
            write(&self.path, &keys)?;
            let missing = || format!("{}: the key {key} is not there", self.path.display());
            let value = keys.remove(key).ok_or_else(missing)?;
            Ok(TokenLease { key: key.to_owned(), value: value.into(), place })
        })
    }

    fn keep(&self, lent: TokenLease, next: SecretString) -> BoxFuture<'_, Result<(), String>> {
        let kept = read(&self.path).and_then(|mut keys| {
            keys.insert(lent.key, next.expose_secret().to_owned());
            write(&self.path, &keys)
        });
        Box::pin(ready(kept))
    }
}

/// The keys of a file of credentials. What it holds is quoted nowhere.
///
/// # Errors
/// In words, with the file: it cannot be read, or holds something else.
pub fn read(path: &Path) -> Result<Keys, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|_| format!("{}: not a file of keys and their values", path.display()))
}

/// Replaces a file at once, readable only by its owner.
fn write(path: &Path, keys: &Keys) -> Result<(), String> {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    let text = serde_saphyr::to_string(keys).map_err(|error| error.to_string())?;
    let put = || {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    put().map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_token_is_kept_in_the_file_beside_what_else_is_in_it() {
        let folder = std::env::temp_dir().join(format!("rollcall-token_store-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("keys.yaml");
        fs::write(&path, "refreshToken: 'first: #1'\nclientId: \"0123\" # as a text\n").unwrap();
        let token_store = FileKeeper::new(&path);
        let lent = token_store.lend("refreshToken").await.unwrap();
        assert_eq!(lent.value.expose_secret(), "first: #1");
        token_store.keep(lent, "second: 'true'".into()).await.unwrap();
        let again = FileKeeper::new(&path);
        assert_eq!(again.lend("refreshToken").await.unwrap().value.expose_secret(), "second: 'true'");
        assert_eq!(read(&path).unwrap()["clientId"], "0123");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left in the folder");
        let why = again.lend("other").await.map(|_| ()).unwrap_err();
        assert!(why.ends_with("keys.yaml: the key other is not there"), "{why}");
        fs::remove_dir_all(&folder).unwrap();
        assert!(again.lend("refreshToken").await.is_err());
    }
}
