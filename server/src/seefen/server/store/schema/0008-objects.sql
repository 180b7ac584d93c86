-- How many objects a case had at an entry, though a hundred thousand readings stand behind the last one.
CREATE INDEX object_case ON object (case_id, idx);
