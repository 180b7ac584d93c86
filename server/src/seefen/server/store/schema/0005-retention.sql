-- What says who read has an end. The record of an entry stays: it is what is proved.

CREATE TABLE legal_hold (
    subject text   PRIMARY KEY,                        -- id of a case in hex, or name of a node
    since   bigint NOT NULL,
    why     text   NOT NULL
);

-- Up to where the log says that readings are erased, and they are.
CREATE TABLE erasure (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    done bigint  NOT NULL
);
INSERT INTO erasure VALUES (true, 0);

CREATE INDEX activity_leaf_erased ON activity_leaf (idx) WHERE kind = 'erased';
