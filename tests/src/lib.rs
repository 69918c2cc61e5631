//! End-to-end tests: the binary against golden files, peers and faults.
