-- Heads that witnesses were shown, and what they signed. Only the newest are kept.

CREATE TABLE witness_round (
    log  text   NOT NULL,
    size bigint NOT NULL,
    at   bigint NOT NULL,                              -- unix seconds: since when it is shown
    note text   NOT NULL,                              -- signed when it was the newest head
    PRIMARY KEY (log, size)
);

CREATE TABLE cosignature (
    log     text   NOT NULL,
    size    bigint NOT NULL,
    witness bytea  NOT NULL CHECK (octet_length(witness) = 32),  -- SHA-256 of its key
    at      bigint NOT NULL,                           -- unix seconds, by the witness
    lines   text   NOT NULL,
    PRIMARY KEY (log, size, witness)                   -- fault 44: a witness stands once
);
