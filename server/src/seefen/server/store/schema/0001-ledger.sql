-- The two logs and what stands in them. No table refers to a leaf by a foreign key: the
-- leaves are what is proved, the rest is found from them.

-- Whoever changes state or releases a key locks this row first: it orders everything.
CREATE TABLE ledger_head (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    authority_size  bigint  NOT NULL,
    authority_root  bytea   NOT NULL CHECK (octet_length(authority_root) = 32),
    authority_range bytea   NOT NULL,                  -- compact range: docs/spec/ledger.md, 1
    activity_size   bigint  NOT NULL,
    activity_root   bytea   NOT NULL CHECK (octet_length(activity_root) = 32),
    activity_range  bytea   NOT NULL,
    at              bigint  NOT NULL                   -- unix milliseconds, never decreasing
);
-- Two empty logs: their root is the SHA-256 of nothing.
INSERT INTO ledger_head VALUES (
    true, 0, sha256(''), decode(repeat('00', 8), 'hex'), 0, sha256(''), decode(repeat('00', 8), 'hex'), 0
);

CREATE TABLE authority_leaf (
    idx      bigint PRIMARY KEY,
    kind     text   NOT NULL,
    hash     bytea  NOT NULL UNIQUE,                   -- SHA-256 of the envelope
    envelope bytea  NOT NULL
);
ALTER TABLE authority_leaf ALTER envelope SET STORAGE EXTERNAL;

-- The order of the columns is that of LeafRow.
CREATE TABLE activity_leaf (
    idx         bigint  PRIMARY KEY,
    record      bytea   NOT NULL CHECK (octet_length(record) = 89),
    core        bytea   NOT NULL,                      -- the text that was hashed
    salt        bytea   NOT NULL,                      -- of the core
    detail_salt bytea,                                 -- where the broker drew it: no reason
    kind        text    NOT NULL,
    case_id     bytea   NOT NULL,
    node        text    NOT NULL,                      -- who acted; of a release, who received
    device_id   bytea,                                 -- null: the broker
    device_n    bigint,
    case_n      bigint,
    object_id   bytea,
    hash        bytea   NOT NULL UNIQUE,               -- SHA-256 of the envelope
    envelope    bytea   NOT NULL,
    UNIQUE (device_id, device_n),                      -- attack 13: no number twice
    UNIQUE (case_id, device_id, case_n)
);
ALTER TABLE activity_leaf ALTER envelope SET STORAGE EXTERNAL, ALTER core SET STORAGE EXTERNAL;
CREATE INDEX activity_leaf_case ON activity_leaf (case_id, idx);

-- Full tiles of the activity log, written once; those of the authority log are rebuilt.
CREATE TABLE log_tile (
    level smallint NOT NULL,
    n     bigint   NOT NULL,
    data  bytea    NOT NULL CHECK (octet_length(data) = 8192),
    PRIMARY KEY (level, n)
);
ALTER TABLE log_tile ALTER data SET STORAGE EXTERNAL;

CREATE TABLE wrap (
    hash bytea PRIMARY KEY,
    data bytea NOT NULL
);
ALTER TABLE wrap ALTER data SET STORAGE EXTERNAL;

-- A case number is given once; the owner's code stands in it.
CREATE TABLE case_number (
    owner   text  NOT NULL,
    number  text  NOT NULL,
    case_id bytea NOT NULL PRIMARY KEY,
    UNIQUE (owner, number)
);

-- From which entry on a node has to do with a case. It stays when the node leaves.
CREATE TABLE case_member (
    case_id bytea  NOT NULL,
    node    text   NOT NULL,
    joined  bigint NOT NULL,
    PRIMARY KEY (case_id, node)
);
CREATE INDEX case_member_node ON case_member (node, joined);

-- The wrapped content key leaves this table only as a protected value.
CREATE TABLE object (
    object_id   bytea  PRIMARY KEY,
    idx         bigint NOT NULL,
    case_id     bytea  NOT NULL,
    gen         bigint NOT NULL,
    n           bigint NOT NULL,                       -- its number in the case
    node        text   NOT NULL,
    expires     bigint NOT NULL,
    body        bytea,                                 -- null: a file, its parts are blobs
    content_key bytea  NOT NULL CHECK (octet_length(content_key) = 104)
);
ALTER TABLE object ALTER body SET STORAGE EXTERNAL, ALTER content_key SET STORAGE EXTERNAL;

CREATE TABLE ack (
    object_id bytea NOT NULL,
    node      text  NOT NULL,
    step      text  NOT NULL,
    PRIMARY KEY (object_id, node, step)                -- the first one counts
);

CREATE TABLE access (
    idx       bigint PRIMARY KEY,
    device_id bytea  NOT NULL,
    case_id   bytea  NOT NULL,
    scope     text   NOT NULL,
    starts    bigint NOT NULL,
    until     bigint NOT NULL
);
CREATE INDEX access_until ON access (until);
