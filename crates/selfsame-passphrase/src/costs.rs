//! How much work a file may ask for before it is opened.

use crate::error::LockedKeyError;

/// The most iterations of PBKDF2: ten times what is recommended today, some seconds.
pub(crate) const MOST_ITERATIONS: u32 = 6_000_000;
/// The most memory of scrypt, `128 * N * r` bytes: 256 MiB, four times what cosign uses.
pub(crate) const MOST_MEMORY: u64 = 256 << 20;
/// The largest block size `r` of scrypt. Everybody uses 8.
pub(crate) const MOST_BLOCK: u64 = 64;
/// The most work of scrypt, `128 * N * r * p` bytes: 1 GiB, some seconds.
pub(crate) const MOST_WORK: u64 = 1 << 30;

/// Whether PBKDF2 may be asked for so many iterations.
pub(crate) fn pbkdf2(iterations: u32) -> Result<(), LockedKeyError> {
    match iterations {
        1..=MOST_ITERATIONS => Ok(()),
        _ => Err(LockedKeyError::Cost { asked: format!("PBKDF2 with {iterations} iterations") }),
    }
}

/// Whether scrypt may be asked for this: `N` (a power of two from 2), `r` and `p`.
pub(crate) fn scrypt(n: u64, r: u64, p: u64) -> Result<scrypt::Params, LockedKeyError> {
    let asked = || LockedKeyError::Cost { asked: format!("scrypt with N = {n}, r = {r}, p = {p}") };
    let memory = n.saturating_mul(r).saturating_mul(128);
    let bearable = n >= 2
        && n.is_power_of_two()
        && (1..=MOST_BLOCK).contains(&r)
        && p >= 1
        && memory <= MOST_MEMORY
        && memory.saturating_mul(p) <= MOST_WORK;
    let parameter = |value: u64| u32::try_from(value).map_err(|_| asked());
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| asked())?;
    if !bearable {
        return Err(asked());
    }
    scrypt::Params::new(log_n, parameter(r)?, parameter(p)?).map_err(|_| asked())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_is_bearable_and_its_multiples_are_not() {
        for (n, r, p) in
            [(1 << 14, 8, 1), (1 << 14, 8, 5), (1 << 15, 8, 1), (1 << 16, 8, 1), (1 << 17, 8, 1), (2, 1, 1)]
        {
            scrypt(n, r, p).unwrap();
        }
        let hostile = [
            (0, 8, 1),
            (1, 8, 1),
            (3, 8, 1),
            (1 << 14, 0, 1),
            (1 << 14, 8, 0),
            (1 << 19, 8, 1),
            (1 << 63, 8, 1),
            (u64::MAX, u64::MAX, u64::MAX),
            (2, 1 << 20, 1),
            (2, 8, u64::MAX),
            (1 << 14, 8, 65),
        ];
        for (n, r, p) in hostile {
            assert!(matches!(scrypt(n, r, p), Err(LockedKeyError::Cost { .. })), "{n} {r} {p}");
        }
        pbkdf2(1).unwrap();
        pbkdf2(600_000).unwrap();
        for iterations in [0, MOST_ITERATIONS + 1, u32::MAX] {
            pbkdf2(iterations).unwrap_err();
        }
    }
}
