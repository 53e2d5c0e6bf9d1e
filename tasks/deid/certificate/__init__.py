"""The certificate of a release: one page for the privacy officer, made from the lake's tables, the ledger and the quarantine lists."""
