//! A real PostgreSQL on this machine, of Debian's package, which is installed where it is missing. It runs as the user `postgres`, since it
//! refuses to run as root.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::debian;

/// Name and password of the superuser.
const ADMIN: &str = "postgres";
const PASSWORD: &str = "of-the-story";

/// The server, which ends with this value.
pub struct Postgres {
    programs: PathBuf,
    data: PathBuf,
    pub port: u16,
}

/// Where the server's programs are; installs them once, if they are not there.
fn programs() -> PathBuf {
    debian::or_get("PostgreSQL", &debian::install("postgresql"), || {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin")).find(|bin| bin.join("initdb").exists())
    })
}

impl Postgres {
    /// Starts a server with an empty database.
    pub fn start(story: &str) -> Self {
        let programs = programs();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let data = std::env::temp_dir().join(format!("rollcall-{story}-{port}")); // the target folder may be root's alone
        fs::create_dir_all(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        let postgres = Self { programs, data, port };
        let password = postgres.data.with_extension("password");
        fs::write(&password, PASSWORD).unwrap();
        postgres.owned(&postgres.data);
        postgres.owned(&password);
        let data = postgres.data.display();
        postgres.runs(&format!(
            "initdb --pgdata={data} --username={ADMIN} --auth=scram-sha-256 --pwfile={} --no-sync --locale=C --encoding=UTF8",
            password.display()
        ));
        fs::remove_file(&password).ok();
        let options = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off");
        postgres.runs(&format!("pg_ctl --pgdata={data} --wait --log={data}/log --options='{options}' start"));
        postgres
    }

    /// Gives a file to the user `postgres`.
    fn owned(&self, path: &Path) {
        let id = |flag: &str| {
            let output = Command::new("id").args([flag, ADMIN]).output().unwrap();
            String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse::<u32>()
                .expect("the user postgres of Debian's package")
        };
        chown(path, Some(id("-u")), Some(id("-g"))).expect("these stories run as root");
    }

    /// Runs a program of PostgreSQL as its own user.
    fn runs(&self, line: &str) {
        let line = format!("cd / && {}/{line}", self.programs.display());
        let output = Command::new("setpriv")
            .args(["--reuid", ADMIN, "--regid", ADMIN, "--clear-groups", "sh", "-c", &line])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}: {}{}", text(&output.stdout), text(&output.stderr));
    }

    /// Runs statements as the superuser.
    pub fn admin(&self, statements: &str) -> String {
        let output = self.login(ADMIN, PASSWORD, statements);
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Logs in as somebody, and runs statements.
    pub fn login(&self, user: &str, password: &str, statements: &str) -> Output {
        let port = self.port.to_string();
        Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &port,
                "--username",
                user,
                "--dbname",
                "postgres",
                "--command",
                statements,
            ])
            .env("PGPASSWORD", password)
            .output()
            .unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let line = format!("{}/pg_ctl --pgdata={} --mode=immediate stop", self.programs.display(), self.data.display());
        let stop = ["--reuid", ADMIN, "--regid", ADMIN, "--clear-groups", "sh", "-c", &line];
        Command::new("setpriv").args(stop).current_dir("/").output().ok();
        fs::remove_dir_all(&self.data).ok();
    }
}
