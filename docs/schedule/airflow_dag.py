"""Airflow 3: colorizes new scans every night; the summary of the run is the task's XCom."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

COMMAND = "colorize --input /archive/scans --output /archive/coloured --max_failures=new:0 --json"

with DAG("photochrom", schedule="30 2 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1):
    BashOperator(
        task_id="colorize",
        bash_command=f"exec /opt/photochrom/bin/photochrom {COMMAND}",
        retries=1,
        retry_delay=timedelta(minutes=10),
    )
