-- Who may enter, and which parts of file bodies are there. Times are Unix seconds.

CREATE TABLE token (
    hash    bytea  PRIMARY KEY CHECK (octet_length(hash) = 32),   -- SHA-256: the token itself is nowhere
    device  bytea  NOT NULL CHECK (octet_length(device) = 16),
    jkt     text   NOT NULL,                                      -- thumbprint of the key of its proofs
    expires bigint NOT NULL
);
CREATE INDEX token_expires ON token (expires);

CREATE TABLE invite (
    id          bytea  PRIMARY KEY CHECK (octet_length(id) = 16),
    secret_hash bytea  NOT NULL CHECK (octet_length(secret_hash) = 32),
    kind        text   NOT NULL CHECK (kind IN ('node', 'device')),
    node        text   NOT NULL,
    roles       text[] NOT NULL,
    expires     bigint NOT NULL,                                  -- as the invite says
    open_until  bigint NOT NULL,                                  -- later, once a request was left
    draft       bytea                                             -- the request: a bundle, not yet admitted
);

CREATE TABLE blob (
    root     bytea   PRIMARY KEY CHECK (octet_length(root) = 32), -- RFC 6962 root over the sealed parts
    size     bigint  NOT NULL CHECK (size > 0),
    parts    integer NOT NULL CHECK (parts > 0),
    leaves   bytea   NOT NULL CHECK (octet_length(leaves) = parts * 32),
    present  bytea   NOT NULL CHECK (octet_length(present) = (parts + 7) / 8),  -- a bit for each part
    complete boolean NOT NULL DEFAULT false,
    node     text    NOT NULL                                     -- who began it: for the quota
);
CREATE INDEX blob_node ON blob (node);
