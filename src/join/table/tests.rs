//! Tests of the join.
