-- database: sales
-- timeout: 10m
-- param year: 2025
-- tags: a, b
SELECT :year -- é
