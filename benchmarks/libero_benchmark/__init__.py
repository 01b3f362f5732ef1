"""LIBERO on MuJoCo and robosuite: suites, worlds, cameras and protocols of LIBERO-LONG and its sister suites."""
