-- Whom a manifest is about stands in its core: the newest one of a device about a node is asked for.
CREATE INDEX activity_leaf_manifest
    ON activity_leaf (device_id, (substring(encode(core, 'escape') from '"to":\["([a-z0-9-]+)"\]')), idx)
    WHERE kind = 'manifest';
