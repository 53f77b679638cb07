"""The rounds of MLPerf Inference: rules as data, logs, submission trees and their checker, compliance."""
