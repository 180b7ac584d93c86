-- What the state of a case is built from, without reading all of a channel that has a million entries.
CREATE INDEX activity_leaf_chain ON activity_leaf (case_id, idx) WHERE kind IN ('case', 'casekey', 'assign');
CREATE INDEX activity_leaf_object ON activity_leaf (case_id, device_id, case_n) WHERE kind = 'object';
-- Entries whose text is gone: lost, or erased.
CREATE INDEX activity_leaf_blank ON activity_leaf (idx) WHERE core = '';
