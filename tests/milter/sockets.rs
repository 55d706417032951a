//! Unix sockets: permissions, those that an earlier run left behind, and those that somebody else uses.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lockdown_milter::milter::{Address, BindError, Bound, Limits};
use tempfile::TempDir;

use crate::frames::{Mta, full_offer};
use crate::shell::{Shell, on_loopback};

fn at(path: &Path) -> Address {
    Address::Unix { path: path.to_owned(), permissions: 0o660, group: None }
}

async fn bind(path: &Path) -> Result<Bound, BindError> {
    Bound::bind(at(path), Vec::new()).await
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("milter.sock");
    (directory, path)
}

#[tokio::test]
async fn unix_and_tcp_are_served_together() {
    let (_directory, path) = place();
    let shell = Shell::serve(vec![bind(&path).await.unwrap(), on_loopback().await], Limits::default());
    for address in &shell.addresses {
        let mut mta = Mta::connect(address).await.unwrap();
        assert_eq!(mta.ask(&[full_offer()]).await, "negotiated");
    }
    shell.stopped().await;
    assert!(!path.exists(), "the socket is removed");
}

async fn check_permissions(permissions: u32) {
    let (_directory, path) = place();
    let address = Address::Unix { path: path.clone(), permissions, group: None };
    let _bound = Bound::bind(address, Vec::new()).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, permissions);
}

#[tokio::test]
async fn permissions_are_those_asked_for_whatever_the_umask() {
    check_permissions(0o600).await;
    check_permissions(0o660).await;
    check_permissions(0o666).await;
}

#[tokio::test]
async fn the_group_is_the_one_asked_for() {
    let (_directory, path) = place();
    // Everybody may give a file to the group of the process.
    let own = nix::unistd::Group::from_gid(nix::unistd::getegid()).unwrap().unwrap();
    let group = if nix::unistd::geteuid().is_root() { "daemon".to_owned() } else { own.name };
    let gid = nix::unistd::Group::from_name(&group).unwrap().unwrap().gid.as_raw();
    let address = Address::Unix { path: path.clone(), permissions: 0o660, group: Some(group) };
    let _bound = Bound::bind(address, Vec::new()).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().gid(), gid);
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_an_error() {
    let (_directory, path) = place();
    let group = Some("no-such-group".to_owned());
    let result =
        Bound::bind(Address::Unix { path: path.clone(), permissions: 0o660, group }, Vec::new()).await;
    assert_eq!(result.unwrap_err().to_string(), "no-such-group: there is no group of this name");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let (_directory, path) = place();
    // The standard library leaves the file behind, as a crash does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let shell = Shell::serve(vec![bind(&path).await.unwrap()], Limits::default());
    assert_eq!(shell.connect().await.ask(&[full_offer()]).await, "negotiated");
}

#[tokio::test]
async fn a_live_socket_is_left_alone() {
    let (_directory, path) = place();
    let shell = Shell::serve(vec![bind(&path).await.unwrap()], Limits::default());
    let error = bind(&path).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{}: another program listens there", path.display()));
    assert_eq!(shell.connect().await.ask(&[full_offer()]).await, "negotiated");
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let (_directory, path) = place();
    fs::write(&path, "precious").unwrap();
    let error = bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::NotASocket(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    // A link to a stale socket is no socket either: whoever made it may mean another one tomorrow.
    let link = path.with_extension("link");
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    assert!(matches!(bind(&link).await.unwrap_err(), BindError::NotASocket(_)));
}

#[tokio::test]
async fn the_socket_of_a_successor_is_left_alone() {
    let (_directory, path) = place();
    let ours = bind(&path).await.unwrap();
    fs::rename(&path, path.with_extension("old")).unwrap();
    let _theirs = bind(&path).await.unwrap();
    drop(ours);
    assert!(path.exists());
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let first = on_loopback().await;
    let error = Bound::bind(first.address(), Vec::new()).await.unwrap_err();
    assert!(error.to_string().starts_with("inet:127.0.0.1:"), "{error}");
    assert!(matches!(error, BindError::System { .. }));
}

#[tokio::test]
async fn a_directory_that_does_not_exist_is_an_error() {
    let (directory, _) = place();
    let error = bind(&directory.path().join("none/milter.sock")).await.unwrap_err();
    assert!(matches!(error, BindError::System { .. }), "{error}");
}
