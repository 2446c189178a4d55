"""What a scientist types: functions of images, datasets and results, offered by `import sdd_bench as sb`."""
