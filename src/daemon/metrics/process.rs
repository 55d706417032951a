//! What the system says of this process (proc(5)). What it does not say is left out.

use std::fs;

/// Open descriptors, without the one by which they are counted.
pub(super) fn open_descriptors() -> Option<u64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(count).ok()?.checked_sub(1)
}

/// Descriptors that may be open.
pub(super) fn most_descriptors() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Octets of memory that are in use.
pub(super) fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_says_it_all() {
        let before = open_descriptors().unwrap();
        let file = fs::File::open("/proc/self/status").unwrap();
        // Other tests open files too.
        assert!(open_descriptors().unwrap() > 2 && before > 2);
        drop(file);
        assert!(most_descriptors().unwrap() > 10);
        assert!(resident_memory().unwrap() > 1 << 20);
    }
}
