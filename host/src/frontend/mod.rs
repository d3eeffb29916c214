//! Front ends: each turns its wire format into operations.
