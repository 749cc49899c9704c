/*
 * ring: passes a token around the ranks of an MPI program and says how long a hop takes.
 *
 * Every rank adds one to the token and hands it to the next rank; the last rank hands it back to rank 0. After R rounds of
 * N ranks the token must be R * N, or a message was lost or changed on its way: the program then fails.
 *
 * usage: mpiexec -n N ring [ROUNDS]      ROUNDS: 1 to 1000000, by default as many as fit in about a fifth of a second
 *        ring --version
 */
#include <errno.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RING_VERSION
#define RING_VERSION "unknown"
#endif

enum { TAG = 7, WARM_UP_ROUNDS = 5, MOST_ROUNDS = 1000000, DEFAULT_ROUNDS = 10000 };
static const double default_seconds = 0.2;

/* Sends the token around `rounds` times; the seconds it took are returned, the token is updated on rank 0. */
static double pass_token(int rank, int size, int rounds, long *token)
{
    const int next = (rank + 1) % size;
    const int previous = (rank + size - 1) % size;
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = MPI_Wtime();
    for (int round = 0; round < rounds; round++) {
        if (rank == 0) {
            *token += 1;
            MPI_Send(token, 1, MPI_LONG, next, TAG, MPI_COMM_WORLD);
            MPI_Recv(token, 1, MPI_LONG, previous, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        } else {
            MPI_Recv(token, 1, MPI_LONG, previous, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            *token += 1;
            MPI_Send(token, 1, MPI_LONG, next, TAG, MPI_COMM_WORLD);
        }
    }
    return MPI_Wtime() - start;
}

/* The number of machines the ranks run on: one rank of each group that shares memory counts. */
static int count_nodes(int rank)
{
    MPI_Comm node;
    int rank_on_node, nodes = 0;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &rank_on_node);
    MPI_Comm_free(&node);
    const int first = rank_on_node == 0;
    MPI_Allreduce(&first, &nodes, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    return nodes;
}

/* The first line of what the MPI library says about itself, runs of blanks made one: "MPICH Version: 4.0.2". */
static void name_library(char *name, size_t size)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    size_t n = 0;
    MPI_Get_library_version(text, &length);
    for (const char *c = text; *c != '\0' && *c != '\n' && n + 1 < size; c++) {
        const int blank = *c == ' ' || *c == '\t';
        if (!blank)
            name[n++] = *c;
        else if (n > 0 && name[n - 1] != ' ')
            name[n++] = ' ';
    }
    name[n] = '\0';
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("ring " RING_VERSION);
        return 0;
    }
    long asked = 0;
    if (argc > 1) {
        char *end;
        errno = 0;
        asked = strtol(argv[1], &end, 10);
        if (argc > 2 || errno != 0 || end == argv[1] || *end != '\0' || asked < 1 || asked > MOST_ROUNDS) {
            fprintf(stderr, "usage: mpiexec -n N ring [ROUNDS], with 1 to %d rounds\n", MOST_ROUNDS);
            return 2;
        }
    }

    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const int nodes = count_nodes(rank);
    char library[80];
    name_library(library, sizeof library);

    int failed = 0;
    if (size == 1) {
        printf("ring %s: one rank alone, nobody to pass the token to; start it with mpiexec -n 2 (%s)\n", RING_VERSION,
               library);
    } else {
        long token = 0;
        int rounds = (int)asked;
        const double warm_up = pass_token(rank, size, WARM_UP_ROUNDS, &token);
        if (asked == 0 && rank == 0) {
            const double fit = default_seconds / (warm_up / WARM_UP_ROUNDS + 1e-9);
            rounds = fit > DEFAULT_ROUNDS ? DEFAULT_ROUNDS : fit < 10 ? 10 : (int)fit;
        }
        MPI_Bcast(&rounds, 1, MPI_INT, 0, MPI_COMM_WORLD);
        token = 0;
        const double seconds = pass_token(rank, size, rounds, &token);
        const long hops = (long)rounds * size;
        if (rank == 0) {
            failed = token != hops;
            printf("ring %s: %d ranks on %d %s, token %ld after %ld hops: %s, %.2f us a hop (%s)\n", RING_VERSION, size,
                   nodes, nodes == 1 ? "node" : "nodes", token, hops, failed ? "WRONG" : "right", seconds * 1e6 / hops,
                   library);
        }
    }
    MPI_Bcast(&failed, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Finalize();
    return failed;
}
